// The uncaught exception: reported to the host, printed as CPython prints it, turned into an exit
// code.
//
// A program may have replaced whatever Python code would use for that, or used up the memory. So
// the report's facts are read here, from the exception's own fields, and sent before anything runs
// that the program could have touched. Only then comes what is worth having besides: the text of
// an exception's `__str__` and the traceback as the `traceback` module writes it.
#define PY_SSIZE_T_CLEAN
#define Py_BUILD_CORE 1
#include <Python.h>
#include <internal/pycore_frame.h>
#include <internal/pycore_runtime.h>

#include "sandgate.h"

SANDGATE_IMPORT(error) extern void host_error(const void *bytes, int32_t length);
SANDGATE_IMPORT(result) extern void host_result(const void *bytes, int32_t length);

// In characters. The host keeps a little less of the longer two, and says what it leaves out.
#define MOST_NAME 200
#define MOST_MESSAGE 17000
#define MOST_TRACEBACK 66000
// A character takes six bytes of JSON at most.
#define ROOM_JSON (6 * (MOST_NAME + MOST_MESSAGE + MOST_TRACEBACK) + 1024)
#define ROOM_PLAIN (64 << 10)
// Of a long traceback, how many of the first and of the last calls are named.
#define FIRST_CALLS 10
#define LAST_CALLS 20
// Python code that formats a traceback must get to run, whatever limit the program has set itself.
#define LEAST_RECURSION 1000
// Memory to report a MemoryError with.
#define RESERVE (4u << 20)

// What is needed of Python's, as it was before the program ran.
static struct {
    PyObject *describe;   // errors.describe(exception) -> text
    PyObject *hook;       // sys.excepthook
    void *reserve;
} ours;

static struct text program;
static PyObject *program_name;

void sandgate_report_init(PyObject *describe) {
    ours.describe = Py_NewRef(describe);
    ours.hook = Py_XNewRef(PySys_GetObject("excepthook"));
    ours.reserve = malloc(RESERVE);
}

void sandgate_report_program(PyObject *name, struct text code) {
    program_name = name;
    program = code;
}

static char json_bytes[ROOM_JSON];
static char plain_bytes[ROOM_PLAIN];

static bool is_program(PyObject *file_name) {
    return program_name != NULL && file_name != NULL && PyUnicode_Check(file_name) &&
           PyUnicode_Compare(file_name, program_name) == 0;
}

static PyTracebackObject *traceback_of(PyObject *exception) {
    PyObject *traceback = ((PyBaseExceptionObject *)exception)->traceback;
    return traceback != NULL && PyTraceBack_Check(traceback) ? (PyTracebackObject *)traceback : NULL;
}

static PyCodeObject *code_of(const PyTracebackObject *step) {
    return _PyFrame_GetCode(step->tb_frame->f_frame);
}

static int line_of(const PyTracebackObject *step) {
    return step->tb_lineno >= 0 ? step->tb_lineno : PyCode_Addr2Line(code_of(step), step->tb_lasti);
}

// The line of the program that the exception is about; 0 where there is none.
static long program_line(PyObject *exception) {
    if (PyObject_TypeCheck(exception, (PyTypeObject *)PyExc_SyntaxError)) {
        PySyntaxErrorObject *error = (PySyntaxErrorObject *)exception;
        if (is_program(error->filename) && error->lineno != NULL && PyLong_Check(error->lineno)) {
            int overflow;
            long line = PyLong_AsLongAndOverflow(error->lineno, &overflow);
            return overflow == 0 ? line : 0;
        }
    }
    long line = 0;
    for (PyTracebackObject *step = traceback_of(exception); step != NULL; step = step->tb_next) {
        if (is_program(code_of(step)->co_filename)) {
            line = line_of(step);
        }
    }
    return line;
}

static void put_source_line(struct text_buffer *to, int line) {
    const char *start = program.bytes;
    const char *end = program.bytes + program.length;
    while (start != NULL && --line > 0) {
        start = memchr(start, '\n', (size_t)(end - start));
        start = start != NULL ? start + 1 : NULL;
    }
    if (start == NULL || line < 0) {
        return;
    }
    while (start < end && (*start == ' ' || *start == '\t')) {
        start++;
    }
    const char *stop = memchr(start, '\n', (size_t)(end - start));
    size_t length = (size_t)((stop != NULL ? stop : end) - start);
    if (length > MOST_NAME) {
        length = MOST_NAME;
        // Whole characters: the host takes no broken ones.
        while (length > 0 && (start[length] & 0xc0) == 0x80) {
            length--;
        }
    }
    if (length > 0) {
        put_words(to, "    ");
        put(to, start, length);
        put_words(to, "\n");
    }
}

// The exception's type as it is known to the program: without the module where that is the program
// itself, or Python's own.
static void put_type(struct text_buffer *to, PyObject *exception, bool json) {
    PyTypeObject *type = Py_TYPE(exception);
    if (!PyType_HasFeature(type, Py_TPFLAGS_HEAPTYPE)) {
        put_words(to, type->tp_name);
        return;
    }
    PyObject *module = PyDict_GetItemWithError(type->tp_dict, &_Py_ID(__module__));
    if (module != NULL && PyUnicode_Check(module) && !PyUnicode_EqualToUTF8(module, "__main__") &&
        !PyUnicode_EqualToUTF8(module, "builtins")) {
        put_text(to, module, MOST_NAME / 2, json);
        put_words(to, ".");
    }
    PyErr_Clear();
    put_text(to, ((PyHeapTypeObject *)type)->ht_qualname, MOST_NAME / 2, json);
}

// The message where it can be had without running anything of the program's: borrowed, or NULL.
static PyObject *bare_message(PyObject *exception) {
    PyObject *arguments = ((PyBaseExceptionObject *)exception)->args;
    bool usual = Py_TYPE(exception)->tp_str == ((PyTypeObject *)PyExc_BaseException)->tp_str;
    if (!usual || arguments == NULL || PyTuple_GET_SIZE(arguments) != 1) {
        return NULL;
    }
    PyObject *message = PyTuple_GET_ITEM(arguments, 0);
    return PyUnicode_CheckExact(message) ? message : NULL;
}

// A traceback for when Python's own cannot be made.
static struct text_buffer plain_traceback(PyObject *exception, PyObject *message) {
    struct text_buffer to = {plain_bytes, ROOM_PLAIN, 0};
    PyTracebackObject *first = traceback_of(exception);
    long count = 0;
    for (PyTracebackObject *step = first; step != NULL; step = step->tb_next) {
        count++;
    }
    if (count > 0) {
        put_words(&to, "Traceback (most recent call last):\n");
    }
    long left_out = count > FIRST_CALLS + LAST_CALLS ? count - FIRST_CALLS - LAST_CALLS : 0;
    long index = 0;
    for (PyTracebackObject *step = first; step != NULL; step = step->tb_next, index++) {
        if (left_out > 0 && index == FIRST_CALLS) {
            put_words(&to, "  [");
            put_number(&to, left_out);
            put_words(&to, " more calls]\n");
        }
        if (index >= FIRST_CALLS && index < FIRST_CALLS + left_out) {
            continue;
        }
        PyCodeObject *code = code_of(step);
        int line = line_of(step);
        put_words(&to, "  File \"");
        put_text(&to, code->co_filename, MOST_NAME, false);
        put_words(&to, "\", line ");
        put_number(&to, line);
        put_words(&to, ", in ");
        put_text(&to, code->co_name, MOST_NAME, false);
        put_words(&to, "\n");
        if (is_program(code->co_filename)) {
            put_source_line(&to, line);
        }
    }
    put_type(&to, exception, false);
    if (message != NULL && PyUnicode_GET_LENGTH(message) > 0) {
        put_words(&to, ": ");
        put_text(&to, message, 1000, false);
    }
    put_words(&to, "\n");
    return to;
}

// `traceback` is NULL where there is only `plain`.
static void send(PyObject *exception, PyObject *message, PyObject *traceback,
                 const struct text_buffer *plain) {
    struct text_buffer json = {json_bytes, ROOM_JSON, 0};
    put_words(&json, "{\"type\": \"");
    put_type(&json, exception, true);
    put_words(&json, "\", \"message\": \"");
    if (message != NULL) {
        put_text(&json, message, MOST_MESSAGE, true);
    }
    put_words(&json, "\", \"traceback\": \"");
    if (traceback != NULL) {
        put_text(&json, traceback, MOST_TRACEBACK, true);
    } else {
        put_plain(&json, plain);
    }
    put_words(&json, "\", \"line\": ");
    long line = program_line(exception);
    if (line > 0) {
        put_number(&json, line);
    } else {
        put_words(&json, "null");
    }
    // A MemoryError with a message may be the program's own, or about the parser's stack: the host
    // knows whether memory was refused.
    PyObject *arguments = ((PyBaseExceptionObject *)exception)->args;
    if (!PyObject_TypeCheck(exception, (PyTypeObject *)PyExc_MemoryError)) {
        put_words(&json, ", \"out_of_memory\": false");
    } else if (arguments == NULL || PyTuple_GET_SIZE(arguments) == 0) {
        put_words(&json, ", \"out_of_memory\": true");
    }
    put_words(&json, "}");
    host_error(json.bytes, (int32_t)json.length);
}

// To the descriptor itself, past what the program made of `sys.stderr`.
static void print_directly(PyObject *text) {
    PyObject *bytes = PyUnicode_AsEncodedString(text, "utf-8", "backslashreplace");
    if (bytes != NULL) {
        sandgate_print_error(PyBytes_AS_STRING(bytes), (size_t)PyBytes_GET_SIZE(bytes));
        Py_DECREF(bytes);
    }
    PyErr_Clear();
}

// To `sys.stderr`; nowhere if the program set that to None, as in CPython.
static void print(PyObject *text) {
    PyObject *stream = PySys_GetObject("stderr");
    if (stream == Py_None) {
        return;
    }
    Py_XINCREF(stream);
    if (stream == NULL || PyFile_WriteObject(text, stream, Py_PRINT_RAW) < 0) {
        PyErr_Clear();
        print_directly(text);
    }
    Py_XDECREF(stream);
}

static void print_words(const char *words) {
    PyObject *text = PyUnicode_FromString(words);
    if (text != NULL) {
        print(text);
        Py_DECREF(text);
    } else {
        PyErr_Clear();
        sandgate_print_error(words, strlen(words));
    }
}

static void print_either(PyObject *text, const struct text_buffer *plain) {
    if (text != NULL) {
        print(text);
    } else if (PySys_GetObject("stderr") != Py_None) {
        sandgate_print_error(plain->bytes, plain->length);
    }
}

// The exception as the `traceback` module prints it; NULL where that fails.
static PyObject *describe(PyObject *exception) {
    PyObject *text = PyObject_CallOneArg(ours.describe, exception);
    if (text != NULL && !PyUnicode_CheckExact(text)) {
        Py_CLEAR(text);
    }
    PyErr_Clear();
    return text;
}

// What SystemExit means, as in CPython: a number, nothing, or a message for stderr.
static int exit_code(PyObject *exception) {
    PyObject *code = PyObject_GetAttrString(exception, "code");
    if (code == NULL) {
        PyErr_Clear();
        code = Py_NewRef(exception);
    }
    int number = 1;
    if (code == Py_None) {
        number = 0;
    } else if (PyLong_Check(code)) {
        number = (int)PyLong_AsLong(code) & 255;
        PyErr_Clear();
    } else {
        PyObject *message = PyObject_Str(code);
        if (message != NULL) {
            print(message);
            Py_DECREF(message);
        }
        PyErr_Clear();
        print_words("\n");
    }
    Py_DECREF(code);
    return number;
}

// The program's own `sys.excepthook`, which may end the program by SystemExit. `text` is the
// exception, described.
static void call_hook(PyObject *hook, PyObject *exception, PyObject *text, int *code) {
    PyObject *traceback = (PyObject *)traceback_of(exception);
    PyObject *done = PyObject_CallFunctionObjArgs(hook, (PyObject *)Py_TYPE(exception), exception,
                                                  traceback ? traceback : Py_None, NULL);
    if (done != NULL) {
        Py_DECREF(done);
        return;
    }
    PyObject *failure = PyErr_GetRaisedException();
    if (PyObject_TypeCheck(failure, (PyTypeObject *)PyExc_SystemExit)) {
        // Natively a 0 is taken too; here an error has been reported, and is not a success.
        int own = exit_code(failure);
        *code = own != 0 ? own : *code;
    } else {
        PyObject *failure_text = describe(failure);
        struct text_buffer plain = plain_traceback(failure, bare_message(failure));
        print_words("Error in sys.excepthook:\n");
        print_either(failure_text, &plain);
        Py_XDECREF(failure_text);
        plain = plain_traceback(exception, bare_message(exception));
        print_words("\nOriginal exception was:\n");
        print_either(text, &plain);
    }
    Py_DECREF(failure);
}

int sandgate_report_uncaught(void) {
    PyObject *exception = PyErr_GetRaisedException();
    if (PyObject_TypeCheck(exception, (PyTypeObject *)PyExc_SystemExit)) {
        int code = exit_code(exception);
        Py_DECREF(exception);
        return code;
    }
    PyEval_SetTrace(NULL, NULL);
    PyEval_SetProfile(NULL, NULL);
    if (Py_GetRecursionLimit() < LEAST_RECURSION) {
        Py_SetRecursionLimit(LEAST_RECURSION);
    }
    if (PyObject_TypeCheck(exception, (PyTypeObject *)PyExc_MemoryError)) {
        free(ours.reserve);
        ours.reserve = NULL;
    }

    PyObject *message = Py_XNewRef(bare_message(exception));
    struct text_buffer plain = plain_traceback(exception, message);
    send(exception, message, NULL, &plain);

    if (message == NULL) {
        message = PyObject_Str(exception);
        PyErr_Clear();
        if (message == NULL) {
            message = PyUnicode_FromString("<exception str() failed>");
            PyErr_Clear();
        }
        plain = plain_traceback(exception, message);
    }
    PyObject *text = describe(exception);
    send(exception, message, text, &plain);

    int code = PyObject_TypeCheck(exception, (PyTypeObject *)PyExc_KeyboardInterrupt) ? 130 : 1;
    PyObject *hook = Py_XNewRef(PySys_GetObject("excepthook"));
    if (hook == NULL) {
        print_words("sys.excepthook is missing\n");
    }
    if (hook == NULL || hook == ours.hook) {
        print_either(text, &plain);
    } else {
        call_hook(hook, exception, text, &code);
    }
    Py_XDECREF(hook);
    Py_XDECREF(text);
    Py_XDECREF(message);
    Py_DECREF(exception);
    return code;
}

bool sandgate_report_value(PyObject *value) {
    PyObject *shown = PyObject_Repr(value);
    if (shown == NULL) {
        return false;
    }
    struct text_buffer json = {json_bytes, ROOM_JSON, 0};
    put_words(&json, "{\"text/plain\": \"");
    put_text(&json, shown, MOST_TRACEBACK, true);
    put_words(&json, "\"}");
    host_result(json.bytes, (int32_t)json.length);
    Py_DECREF(shown);
    return true;
}
