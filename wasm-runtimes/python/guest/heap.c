// The last step before the snapshot: what is alive now stays alive, so that no execution spends
// anything on keeping track of it.
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "sandgate.h"

void sandgate_settle_heap(void) {
    PyGC_Collect();
    PyObject *gc = PyImport_ImportModule("gc");
    PyObject *done = gc ? PyObject_CallMethod(gc, "freeze", NULL) : NULL;
    Py_XDECREF(done);
    Py_XDECREF(gc);
    PyErr_Clear();
}
