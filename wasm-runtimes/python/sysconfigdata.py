"""The build's variables, as far as a program can ask for them: no path of the build machine."""

build_time_vars = {
    "EXT_SUFFIX": ".cpython-313-wasm32-wasi.so",
    "HOST_GNU_TYPE": "wasm32-unknown-wasip1",
    "MACHDEP": "wasi",
    "MULTIARCH": "wasm32-wasi",
    "Py_DEBUG": 0,
    "Py_ENABLE_SHARED": 0,
    "Py_GIL_DISABLED": 0,
    "SIZEOF_VOID_P": 4,
    "SOABI": "cpython-313-wasm32-wasi",
    "VERSION": "3.13",
    "abs_builddir": "",
    "abs_srcdir": "",
    "prefix": "/usr",
    "exec_prefix": "/usr",
}
