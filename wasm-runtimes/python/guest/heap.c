// The last step before the snapshot. What costs an execution most is not what it computes but the
// pages it is the first to write to: each is copied for it and put back afterwards. So:
//
// - Everything alive becomes immortal. Otherwise every use of an object of the snapshot would write
//   its reference count, and so its page.
// - The garbage collector never looks at it again.
// - The free memory scattered over the snapshot is used up, so that what a program makes lies
//   together. Not only the number of written pages counts: the engine puts back at most 32 separate
//   runs of them, and beyond the 32nd unmaps all the rest of the memory, read or written, which then
//   faults in again page by page.
// - What every program reads or writes lies together, too, where that could be arranged. To find the
//   written pages the kernel looks at all of a piece of 2 MB in which one page was ever used, and at
//   16 pages where one was read.
// - There is room for a small program's memory, so that it need not ask the host for more.
#define PY_SSIZE_T_CLEAN
#define Py_BUILD_CORE 1
#include <Python.h>
#include <internal/pycore_backoff.h>
#include <internal/pycore_code.h>
#include <internal/pycore_dict.h>
#include <internal/pycore_function.h>
#include <internal/pycore_gc.h>
#include <internal/pycore_global_objects.h>
#include <internal/pycore_interp.h>
#include <internal/pycore_obmalloc.h>
#include <internal/pycore_opcode_metadata.h>
#include <internal/pycore_pystate.h>
#include <internal/pycore_typeobject.h>
#include <stdio.h>
#include <unistd.h>

#include "sandgate.h"

#define MOST_OBJECTS (2u << 20)
#define MOST_STATIC_TYPES 1024u
#define ROOM (4u << 20)
#define LARGEST_HOLE (4u << 20)
#define SMALLEST_HOLE 8u

// Objects whose references are still to be followed.
static PyObject **pending;
static size_t pending_count;

// Types that are no heap objects are immortal from the start: what was seen of them is kept here.
static PyTypeObject *static_types[MOST_STATIC_TYPES];
static size_t static_type_count;

static void give_up(const char *why) {
    fprintf(stderr, "python guest: cannot settle the heap: %s\n", why);
    _exit(70);
}

static void push(PyObject *object) {
    if (pending_count == MOST_OBJECTS) {
        give_up("too many objects");
    }
    pending[pending_count++] = object;
}

static void keep(PyObject *object) {
    if (object == NULL) {
        return;
    }
    if (!_Py_IsImmortal(object)) {
        object->ob_refcnt = _Py_IMMORTAL_REFCNT;
        push(object);
    } else if (PyType_Check(object) && !PyType_HasFeature((PyTypeObject *)object, Py_TPFLAGS_HEAPTYPE)) {
        for (size_t i = 0; i < static_type_count; i++) {
            if (static_types[i] == (PyTypeObject *)object) {
                return;
            }
        }
        if (static_type_count == MOST_STATIC_TYPES) {
            give_up("too many static types");
        }
        static_types[static_type_count++] = (PyTypeObject *)object;
        push(object);
    }
}

static int visit(PyObject *object, void *ignored) {
    keep(object);
    return 0;
}

// An instruction counts, by writing to its code, to when it is specialised, or specialised anew after
// it did not fit. One that ran in the warm-up has had its chance, and stays as it is. One that did
// not counts still: a program that runs it often gains more than the pages cost.
static void stop_counting(PyCodeObject *code) {
    const uint16_t untouched = adaptive_counter_warmup().as_counter;
    _Py_CODEUNIT *instructions = _PyCode_CODE(code);
    for (Py_ssize_t i = 0; i < Py_SIZE(code); i++) {
        int opcode = instructions[i].op.code;
        int caches = _PyOpcode_Caches[_PyOpcode_Deopt[opcode]];
        if (caches > 0 && opcode != JUMP_BACKWARD) {
            _Py_BackoffCounter *counter = &instructions[i + 1].counter;
            bool specialised = opcode != _PyOpcode_Deopt[opcode];
            if (specialised || counter->as_counter != untouched) {
                *counter = initial_unreachable_backoff_counter();
            }
        }
        i += caches;
    }
}

static void keep_code(PyCodeObject *code) {
    stop_counting(code);
    keep(code->co_consts);
    keep(code->co_names);
    keep(code->co_exceptiontable);
    keep(code->co_localsplusnames);
    keep(code->co_localspluskinds);
    keep(code->co_filename);
    keep(code->co_name);
    keep(code->co_qualname);
    keep(code->co_linetable);
    if (code->_co_cached != NULL) {
        keep(code->_co_cached->_co_code);
        keep(code->_co_cached->_co_varnames);
        keep(code->_co_cached->_co_cellvars);
        keep(code->_co_cached->_co_freevars);
    }
}

static void keep_type(PyTypeObject *type) {
    PyObject *dict = PyType_GetDict(type);
    keep(dict);
    keep(type->tp_mro);
    keep(type->tp_bases);
    keep((PyObject *)type->tp_base);
    keep(type->tp_cache);
    if (PyType_HasFeature(type, Py_TPFLAGS_HEAPTYPE)) {
        PyHeapTypeObject *heap_type = (PyHeapTypeObject *)type;
        keep(heap_type->ht_module);
        keep(heap_type->ht_name);
        keep(heap_type->ht_qualname);
        keep(heap_type->ht_slots);
        if (heap_type->ht_cached_keys != NULL) {
            // The names of instances' attributes, counted like an object.
            heap_type->ht_cached_keys->dk_refcnt = _Py_IMMORTAL_REFCNT;
        }
        keep(type->tp_subclasses);
    }
}

static void follow(PyObject *object) {
    PyTypeObject *type = Py_TYPE(object);
    keep((PyObject *)type);
    if (PyType_Check(object)) {
        keep_type((PyTypeObject *)object);
    } else if (PyCode_Check(object)) {
        keep_code((PyCodeObject *)object);
    } else if (type->tp_traverse != NULL && PyObject_IS_GC(object)) {
        type->tp_traverse(object, visit, NULL);
    }
}

static void keep_everything(void) {
    pending = malloc(MOST_OBJECTS * sizeof *pending);
    PyObject *gc = PyImport_ImportModule("gc");
    PyObject *roots = gc ? PyObject_CallMethod(gc, "get_objects", NULL) : NULL;
    if (pending == NULL || roots == NULL) {
        give_up("no memory");
    }
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(roots); i++) {
        keep(PyList_GET_ITEM(roots, i));
    }
    PyInterpreterState *interpreter = _PyInterpreterState_GET();
    PyObject *interned = _Py_INTERP_CACHED_OBJECT(interpreter, interned_strings);
    PyObject *name, *value;
    Py_ssize_t position = 0;
    while (PyDict_Next(interned, &position, &name, &value)) {
        keep(name);
    }
    // Names that only the cache of look-ups in types still holds: freed when their entry is taken.
    for (size_t i = 0; i < 1 << MCACHE_SIZE_EXP; i++) {
        keep(interpreter->types.type_cache.hashtable[i].name);
    }
    while (pending_count > 0) {
        follow(pending[--pending_count]);
    }
    Py_DECREF(roots);
    PyObject *done = PyObject_CallMethod(gc, "freeze", NULL);
    Py_XDECREF(done);
    Py_DECREF(gc);
    // Zeros take no space in the snapshot.
    memset(pending, 0, MOST_OBJECTS * sizeof *pending);
    free(pending);
    pending = NULL;
}

// Whether a block is alone in its pool, that is, the pool was taken up for it.
static bool alone_in_pool(const void *block) {
    return ((poolp)((uintptr_t)block & ~(uintptr_t)POOL_SIZE_MASK))->ref.count == 1;
}

// Takes the small-object allocator's free pools for good: emptied by what came before, they lie
// all over the heap. The next pool is then the first of a new arena, and those after it follow.
static void use_up_free_pools(void) {
    struct _obmalloc_state *allocator = _PyInterpreterState_GET()->obmalloc;
    while (allocator->mgmt.usable_arenas != NULL) {
        void *block = PyObject_Malloc(SMALL_REQUEST_THRESHOLD);
        if (block == NULL) {
            give_up("no memory");
        }
        memset(block, 0, SMALL_REQUEST_THRESHOLD);
    }
}

// The same for malloc's holes, largest first, up to where its memory ends now.
static void use_up_holes(void) {
    const char *end = sbrk(0);
    for (size_t size = LARGEST_HOLE; size >= SMALLEST_HOLE; size /= 2) {
        char *volatile block;
        while ((block = malloc(size)) != NULL && (const char *)block < end) {
            memset(block, 0, size);
        }
        free(block);
    }
}

static void use_up_free_blocks(void) {
    for (size_t size = ALIGNMENT; size <= SMALL_REQUEST_THRESHOLD; size += ALIGNMENT) {
        void *block;
        do {
            block = PyObject_Malloc(size);
            if (block == NULL) {
                give_up("no memory");
            }
        } while (!alone_in_pool(block));
        // The pool goes back, empty, and is the one taken next.
        PyObject_Free(block);
    }
}

// The small-object allocator's records of its arenas lie where they were when there were as many
// arenas as now. They move to where memory is free. No arena has room at this moment,
// so that only the unused records hang together.
static void move_arena_records(void) {
    struct _obmalloc_mgmt *allocator = &_PyInterpreterState_GET()->obmalloc->mgmt;
    size_t size = allocator->maxarenas * sizeof *allocator->arenas;
    struct arena_object *records = allocator->arenas;
    struct arena_object *moved = PyMem_RawMalloc(size);
    if (moved == NULL || allocator->usable_arenas != NULL) {
        give_up("the arenas' records cannot be moved");
    }
    memcpy(moved, records, size);
    struct arena_object **link = &allocator->unused_arena_objects;
    for (; *link != NULL; link = &(*link)->nextarena) {
        *link = moved + (*link - records);
    }
    allocator->arenas = moved;
    // Not freed: a hole so far away is the last thing a program should find.
    memset(records, 0, size);
}

// A function's version leads to its code here. Only what optimises traces follows that, which is not
// built in; everybody else looks to forget one, and into code that happens to have the same place.
static void forget_versions(void) {
    struct _py_func_state *functions = &_PyInterpreterState_GET()->func_state;
    memset(functions->func_version_cache, 0, sizeof functions->func_version_cache);
}

static void make_room(void) {
    void *room = malloc(ROOM);
    if (room == NULL) {
        give_up("no memory");
    }
    free(room);
}

// Moves the table of a dictionary. Where it was is not freed, see above. Nothing is counted: all that
// it refers to is immortal by now.
static void move_table(PyObject *object) {
    PyDictObject *dict = (PyDictObject *)object;
    PyDictObject *copy = (PyDictObject *)PyDict_Copy(object);
    if (copy == NULL || copy->ma_values != NULL) {
        give_up("a dictionary cannot be moved");
    }
    PyObject_GC_UnTrack(copy);
    PyDictKeysObject *table = dict->ma_keys;
    dict->ma_keys = copy->ma_keys;
    copy->ma_keys = NULL;
    memset(table, 0, _PyDict_KeysSize(table));
}

void sandgate_settle_heap(PyObject *variables) {
    PyInterpreterState *interpreter = _PyInterpreterState_GET();
    PyGC_Collect();
    // Before and after, so that the large block of the next step is neither in a hole nor leaves one.
    use_up_holes();
    forget_versions();
    keep_everything();
    use_up_holes();
    // Freed objects kept for reuse lie anywhere.
    _PyGC_ClearAllFreeLists(interpreter);
    use_up_free_pools();
    move_arena_records();
    use_up_free_blocks();
    make_room();
    // Every name of a program is looked up in the one, and its variables are in the other.
    move_table(_Py_INTERP_CACHED_OBJECT(interpreter, interned_strings));
    move_table(variables);
}
