// The guest's entry points: starting the interpreter before the snapshot, and running one program
// after it.
#define PY_SSIZE_T_CLEAN
#define Py_BUILD_CORE 1
#include <Python.h>
#include <internal/pycore_ast.h>
#include <internal/pycore_compile.h>
#include <internal/pycore_interp.h>
#include <internal/pycore_parser.h>
#include <internal/pycore_pyarena.h>
#include <internal/pycore_pyhash.h>
#include <internal/pycore_pylifecycle.h>
#include <internal/pycore_pystate.h>
#include <stdio.h>
#include <unistd.h>

#include "sandgate.h"

#define LIBRARY L"/usr/lib/python3.13"

// What `sandgate_init` leaves for `sandgate_run`, all of it alive for good.
static struct {
    PyObject *main;           // __main__'s namespace
    PyObject *file_name;      // "main.py"
    PyObject *result_name;    // the variable of the last expression's value
    PyObject *standard_out;   // the streams as they were made
    PyObject *standard_error;
    PyObject *show;           // results.show(value)
    PyObject *set_program;    // start.set_program(name, arguments, environment)
    PyObject *log_handlers;   // logging's list of handlers
    PyObject *log_shutdown;
} guest;

static void fail(const char *what) {
    fprintf(stderr, "python guest: cannot %s\n", what);
    if (PyErr_Occurred()) {
        PyErr_Print();
    }
    _exit(70);
}

static PyObject *must(PyObject *object, const char *what) {
    if (object == NULL) {
        fail(what);
    }
    return object;
}

static void must_start(PyStatus status) {
    if (PyStatus_Exception(status)) {
        fail(status.err_msg ? status.err_msg : "start the interpreter");
    }
}

static void start_interpreter(void) {
    PyPreConfig early;
    PyPreConfig_InitIsolatedConfig(&early);
    early.utf8_mode = 1;
    must_start(Py_PreInitialize(&early));

    PyConfig config;
    PyConfig_InitIsolatedConfig(&config);
    // The seed is part of the snapshot; that of `random` is not (patches/cpython-random.patch).
    config.use_hash_seed = 1;
    config.hash_seed = 0;
    config.site_import = 0;
    config.install_signal_handlers = 0;
    config.write_bytecode = 0;
    config.parse_argv = 0;
    config.pathconfig_warnings = 0;
    // Text goes straight through to write(): see stdio.c.
    config.buffered_stdio = 0;
    must_start(PyConfig_SetString(&config, &config.stdio_encoding, L"utf-8"));
    must_start(PyConfig_SetString(&config, &config.stdio_errors, L"strict"));
    must_start(PyConfig_SetString(&config, &config.program_name, L"/usr/bin/python3"));
    must_start(PyConfig_SetString(&config, &config.executable, L""));
    must_start(PyConfig_SetString(&config, &config.home, L"/usr"));
    config.module_search_paths_set = 1;
    must_start(PyWideStringList_Append(&config.module_search_paths, LIBRARY));
    must_start(PyWideStringList_Append(&config.module_search_paths, L"/boot"));
    must_start(Py_InitializeFromConfig(&config));
    PyConfig_Clear(&config);
    // The seed above makes this 0, for which the XML parser asks the clock whenever it is used.
    _Py_HashSecret.expat.hashsalt = 1;
}

SANDGATE_EXPORT(sandgate_init) void sandgate_init(void) {
    if (chdir("/work") != 0) {
        fail("enter /work");
    }
    start_interpreter();
    // First of all, so that they lie with the interpreter's own.
    guest.file_name = must(PyUnicode_InternFromString("main.py"), "name the program");
    // No program can name this variable itself.
    guest.result_name = must(PyUnicode_InternFromString("<result>"), "name the result");
    PyObject *host = must(sandgate_host_module(), "make the module _sandgate");
    PyObject *modules = PySys_GetObject("modules");
    if (PyDict_SetItemString(modules, "_sandgate", host) < 0) {
        fail("register _sandgate");
    }
    PyObject *start = must(PyImport_ImportModule("sandgate_boot.start"), "import the boot code");
    PyObject *main = must(PyImport_AddModuleRef("__main__"), "find __main__");
    guest.main = must(PyObject_GetAttrString(main, "__dict__"), "find __main__'s namespace");
    guest.standard_out = Py_NewRef(must(PySys_GetObject("stdout"), "find sys.stdout"));
    guest.standard_error = Py_NewRef(must(PySys_GetObject("stderr"), "find sys.stderr"));
    guest.show = must(PyObject_GetAttrString(start, "show"), "find show");
    sandgate_report_init(must(PyObject_GetAttrString(start, "describe"), "find describe"));
    guest.set_program = must(PyObject_GetAttrString(start, "set_program"), "find set_program");
    guest.log_handlers = must(PyObject_GetAttrString(start, "log_handlers"), "find log_handlers");
    guest.log_shutdown = must(PyObject_GetAttrString(start, "log_shutdown"), "find log_shutdown");
    PyObject *done = must(PyObject_CallMethod(start, "print_catalogue", NULL), "write the catalogue");
    Py_DECREF(done);
    fflush(stdout);
    Py_DECREF(start);
    Py_DECREF(main);
    sandgate_settle_heap(guest.main);
    sandgate_files_start();
    sandgate_stdio_start();
}

// Turns the last statement, where it is an expression, into an assignment to a variable that no
// program can name. So the value is there at the end, and everything else, tracebacks included,
// is as if nothing had been done.
static bool keep_last_value(mod_ty module, PyArena *arena) {
    asdl_stmt_seq *body = module->v.Module.body;
    Py_ssize_t count = asdl_seq_LEN(body);
    if (count == 0) {
        return true;
    }
    stmt_ty last = asdl_seq_GET(body, count - 1);
    if (last->kind != Expr_kind) {
        return true;
    }
    expr_ty value = last->v.Expr.value;
    asdl_expr_seq *targets = _Py_asdl_expr_seq_new(1, arena);
    expr_ty target = _PyAST_Name(guest.result_name, Store, value->lineno, value->col_offset,
                                 value->end_lineno, value->end_col_offset, arena);
    if (targets == NULL || target == NULL) {
        return false;
    }
    asdl_seq_SET(targets, 0, target);
    stmt_ty assignment = _PyAST_Assign(targets, value, NULL, last->lineno, last->col_offset,
                                       last->end_lineno, last->end_col_offset, arena);
    if (assignment == NULL) {
        return false;
    }
    asdl_seq_SET(body, count - 1, assignment);
    return true;
}

static PyObject *compile_program(const struct request *request, PyObject *file_name) {
    const char *code = request->code.bytes;
    if (strlen(code) != request->code.length) {
        PyErr_SetString(PyExc_SyntaxError, "source code cannot contain null bytes");
        return NULL;
    }
    if (strncmp(code, "\xef\xbb\xbf", 3) == 0) {
        code += 3;
    }
    PyCompilerFlags flags = _PyCompilerFlags_INIT;
    flags.cf_flags = PyCF_SOURCE_IS_UTF8 | PyCF_IGNORE_COOKIE;
    PyArena *arena = _PyArena_New();
    if (arena == NULL) {
        return NULL;
    }
    PyCodeObject *program = NULL;
    mod_ty module = _PyParser_ASTFromString(code, file_name, Py_file_input, &flags, arena);
    if (module != NULL && (!request->want_result || keep_last_value(module, arena))) {
        program = _PyAST_Compile(module, file_name, &flags, -1, arena);
    }
    _PyArena_Free(arena);
    return (PyObject *)program;
}

static PyObject *text_list(const struct texts *texts) {
    PyObject *list = PyList_New(texts->count);
    for (uint32_t i = 0; list != NULL && i < texts->count; i++) {
        const struct text *text = &texts->items[i];
        PyObject *item = PyUnicode_DecodeUTF8(text->bytes, text->length, "surrogateescape");
        if (item == NULL) {
            Py_CLEAR(list);
        } else {
            PyList_SET_ITEM(list, i, item);
        }
    }
    return list;
}

// sys.argv, os.environ and the name of __main__'s file; the snapshot holds the usual ones.
static PyObject *prepare(const struct request *request) {
    bool usual_name = strcmp(request->name.bytes, "main.py") == 0;
    if (usual_name && request->arguments.count == 0 && request->environment.count == 0) {
        return Py_NewRef(guest.file_name);
    }
    PyObject *name = PyUnicode_DecodeUTF8(request->name.bytes, request->name.length, "replace");
    PyObject *arguments = name ? text_list(&request->arguments) : NULL;
    PyObject *environment = arguments ? text_list(&request->environment) : NULL;
    PyObject *done = NULL;
    if (environment != NULL) {
        done = PyObject_CallFunctionObjArgs(guest.set_program, name, arguments, environment, NULL);
    }
    Py_XDECREF(environment);
    Py_XDECREF(arguments);
    if (done == NULL) {
        Py_CLEAR(name);
    }
    Py_XDECREF(done);
    return name;
}

static int show_result(void) {
    PyObject *value;
    if (PyDict_Pop(guest.main, guest.result_name, &value) <= 0) {
        return 0;
    }
    int exit_code = 0;
    if (value != Py_None) {
        PyObject *shown = PyObject_CallOneArg(guest.show, value);
        // It fails where the program took away what it is made of: the repr is always to be had.
        if (shown == NULL && PyErr_ExceptionMatches(PyExc_Exception)) {
            PyErr_Clear();
            shown = sandgate_report_value(value) ? Py_NewRef(Py_None) : NULL;
        }
        if (shown == NULL) {
            exit_code = sandgate_report_uncaught();
        }
        Py_XDECREF(shown);
    }
    Py_DECREF(value);
    return exit_code;
}

static void flush(const char *name, PyObject *original) {
    PyObject *stream = PySys_GetObject(name);
    // The original holds nothing back.
    if (stream != NULL && stream != original && stream != Py_None) {
        PyObject *done = PyObject_CallMethod(stream, "flush", NULL);
        Py_XDECREF(done);
        PyErr_Clear();
    }
}

// What the interpreter does at its end as far as a program can see it: exit handlers, files
// closed and `__del__` called as the program's variables go.
static void finish(void) {
    _PyAtExit_Call(_PyInterpreterState_GET());
    // The first of exit handlers runs last: see start.py.
    if (PyList_GET_SIZE(guest.log_handlers) > 1) {
        PyObject *done = PyObject_CallNoArgs(guest.log_shutdown);
        Py_XDECREF(done);
        PyErr_Clear();
    }
    flush("stdout", guest.standard_out);
    flush("stderr", guest.standard_error);
    _PyModule_ClearDict(guest.main);
    PyGC_Collect();
}

SANDGATE_EXPORT(sandgate_run) int32_t sandgate_run(const uint8_t *block, int32_t length) {
    struct request request;
    if (length <= 0 || !sandgate_parse_request(block, (uint32_t)length, &request)) {
        fputs("python guest: malformed request block\n", stderr);
        return 70;
    }
    sandgate_set_source(request.code);
    PyObject *file_name = prepare(&request);
    sandgate_report_program(file_name, request.code);
    PyObject *program = file_name ? compile_program(&request, file_name) : NULL;
    PyObject *ran = program ? PyEval_EvalCode(program, guest.main, guest.main) : NULL;
    int exit_code = ran ? show_result() : sandgate_report_uncaught();
    Py_XDECREF(ran);
    Py_XDECREF(program);
    finish();
    return exit_code;
}
