// The module `_sandgate`: the little that the boot code, written in Python, needs from below.
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "sandgate.h"

SANDGATE_IMPORT(result) extern void host_result(const void *bytes, int32_t length);

static struct text source;

void sandgate_set_source(struct text code) { source = code; }

static PyObject *result(PyObject *module, PyObject *bundle) {
    Py_ssize_t length;
    const char *bytes = PyUnicode_AsUTF8AndSize(bundle, &length);
    if (bytes == NULL) {
        return NULL;
    }
    host_result(bytes, (int32_t)length);
    Py_RETURN_NONE;
}

static PyObject *get_source(PyObject *module, PyObject *ignored) {
    return PyUnicode_DecodeUTF8(source.bytes ? source.bytes : "", source.length, "replace");
}

// Reads a whole file into memory of its own and returns a view of it. The memory is never freed:
// it holds the library, whose pages an execution touches only where it imports something.
static PyObject *map_file(PyObject *module, PyObject *path) {
    const char *name = PyUnicode_AsUTF8(path);
    if (name == NULL) {
        return NULL;
    }
    FILE *file = fopen(name, "rb");
    char *bytes = NULL;
    long size = -1;
    if (file != NULL && fseek(file, 0, SEEK_END) == 0 && (size = ftell(file)) > 0 &&
        fseek(file, 0, SEEK_SET) == 0 && (bytes = malloc((size_t)size)) != NULL &&
        fread(bytes, 1, (size_t)size, file) != (size_t)size) {
        free(bytes);
        bytes = NULL;
    }
    if (file != NULL) {
        fclose(file);
    }
    if (bytes == NULL) {
        return PyErr_SetFromErrnoWithFilenameObject(PyExc_OSError, path);
    }
    return PyMemoryView_FromMemory(bytes, size, PyBUF_READ);
}

// Refusal(exception, *arguments): a callable that raises. Being C, it leaves no frame in the
// user's traceback, as the built-in functions it stands in for would not.
typedef struct {
    PyObject_HEAD
    PyObject *exception;
    PyObject *arguments;
} Refusal;

static PyObject *refusal_new(PyTypeObject *type, PyObject *arguments, PyObject *keywords) {
    if (PyTuple_GET_SIZE(arguments) < 1) {
        PyErr_SetString(PyExc_TypeError, "Refusal needs an exception type");
        return NULL;
    }
    Refusal *self = (Refusal *)type->tp_alloc(type, 0);
    if (self != NULL) {
        self->exception = Py_NewRef(PyTuple_GET_ITEM(arguments, 0));
        self->arguments = PyTuple_GetSlice(arguments, 1, PyTuple_GET_SIZE(arguments));
    }
    return (PyObject *)self;
}

static PyObject *refusal_call(PyObject *object, PyObject *arguments, PyObject *keywords) {
    Refusal *self = (Refusal *)object;
    PyErr_SetObject(self->exception, self->arguments);
    return NULL;
}

static void refusal_free(PyObject *object) {
    Refusal *self = (Refusal *)object;
    Py_XDECREF(self->exception);
    Py_XDECREF(self->arguments);
    Py_TYPE(object)->tp_free(object);
}

static PyTypeObject refusal_type = {
    PyVarObject_HEAD_INIT(NULL, 0).tp_name = "_sandgate.Refusal",
    .tp_basicsize = sizeof(Refusal),
    .tp_flags = Py_TPFLAGS_DEFAULT,
    .tp_new = refusal_new,
    .tp_call = refusal_call,
    .tp_dealloc = refusal_free,
};

static PyMethodDef methods[] = {
    {"result", result, METH_O, "Report a displayed object: a JSON object, as text."},
    {"source", get_source, METH_NOARGS, "The user's program."},
    {"map_file", map_file, METH_O, "A view of a file's bytes that stay in memory for good."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_sandgate",
    .m_size = -1,
    .m_methods = methods,
};

PyObject *sandgate_host_module(void) {
    PyObject *module = PyModule_Create(&definition);
    if (module != NULL && PyModule_AddType(module, &refusal_type) < 0) {
        Py_CLEAR(module);
    }
    return module;
}
