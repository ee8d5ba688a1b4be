// The last step before the snapshot. What costs an execution most is not what it computes but the
// pages it is the first to write to: each is copied for it and put back afterwards. So:
//
// - Everything alive becomes immortal. Otherwise every use of an object of the snapshot would write
//   its reference count, and so its page.
// - The garbage collector never looks at it again.
// - The free blocks scattered over the snapshot's memory are used up, so that a program's small
//   objects lie together, in pools nothing else is in.
// - There is room for a small program's memory, so that it need not ask the host for more.
#define PY_SSIZE_T_CLEAN
#define Py_BUILD_CORE 1
#include <Python.h>
#include <internal/pycore_code.h>
#include <internal/pycore_dict.h>
#include <internal/pycore_global_objects.h>
#include <internal/pycore_interp.h>
#include <internal/pycore_obmalloc.h>
#include <internal/pycore_pystate.h>
#include <internal/pycore_typeobject.h>
#include <stdio.h>
#include <unistd.h>

#include "sandgate.h"

#define MOST_OBJECTS (2u << 20)
#define MOST_STATIC_TYPES 1024u
#define ROOM (4u << 20)

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

static void keep_code(PyCodeObject *code) {
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
    while (pending_count > 0) {
        follow(pending[--pending_count]);
    }
    Py_DECREF(roots);
    PyObject *done = PyObject_CallMethod(gc, "freeze", NULL);
    Py_XDECREF(done);
    Py_DECREF(gc);
    // Zeros take no space in the snapshot, and what was only needed here is room for later.
    memset(pending, 0, MOST_OBJECTS * sizeof *pending);
    free(pending);
    pending = NULL;
}

// Whether a block is the first of its pool, that is, the pool was taken up for it.
static bool first_of_pool(const void *block) {
    return ((uintptr_t)block & POOL_SIZE_MASK) == POOL_OVERHEAD;
}

static void use_up_free_blocks(void) {
    for (size_t size = ALIGNMENT; size <= SMALL_REQUEST_THRESHOLD; size += ALIGNMENT) {
        void *block;
        do {
            block = PyObject_Malloc(size);
            if (block == NULL) {
                give_up("no memory");
            }
        } while (!first_of_pool(block));
        // The pool goes back, empty, and is the one taken next.
        PyObject_Free(block);
    }
}

static void make_room(void) {
    void *room = malloc(ROOM);
    if (room == NULL) {
        give_up("no memory");
    }
    free(room);
}

void sandgate_settle_heap(void) {
    PyGC_Collect();
    keep_everything();
    use_up_free_blocks();
    make_room();
}
