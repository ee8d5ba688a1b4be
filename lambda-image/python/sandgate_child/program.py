"""The child's life: everything as a program finds it, the program, and its end."""

import ast
import atexit
import builtins
import gc
import io
import json
import os
import random
import shutil
import sys
import tempfile
import threading

from sandgate_child import errors, figures, results

TASK = 3
NAME = errors.PROGRAM

# No program can name this variable itself.
RESULT = "<result>"


def prepare():
    """In the zygote: what is the same for every program."""
    builtins.display = results.display
    main = sys.modules["__main__"]
    vars(main).clear()
    vars(main).update(
        __name__="__main__",
        __doc__=None,
        __package__=None,
        __loader__=None,
        __spec__=None,
        __annotations__={},
        __builtins__=builtins,
        __file__=NAME,
        __cached__=None,
    )


def child():
    """In the child: runs the task and ends the process."""
    code = 1
    try:
        code = _run(_read_task())
    finally:
        # Not the interpreter's own end, which would take down every package first.
        os._exit(code)


def _read_task():
    with open(TASK, "rb") as file:
        return json.load(file)


def _run(task):
    _surround(task)
    source = errors.name_program(task["code"])
    main = vars(sys.modules["__main__"])
    try:
        try:
            exec(_compile(source), main)
            value = main.pop(RESULT, None)
            if value is not None:
                results.show(value)
            # A reference here would keep it alive past the program's end.
            value = None
            code = 0
        except BaseException as error:
            code = errors.uncaught(error, source)
        figures.show_open()
    except BaseException as error:
        code = errors.uncaught(error, source)
    _finish(main)
    return code


def _compile(source):
    tree = ast.parse(source.removeprefix("\ufeff"), NAME)
    # The last statement, where it is an expression, becomes an assignment: so its value is there
    # at the end, and all else, tracebacks included, is as if nothing had been done.
    if tree.body and isinstance(tree.body[-1], ast.Expr):
        last = tree.body[-1]
        value = last.value
        target = ast.copy_location(ast.Name(RESULT, ast.Store()), value)
        tree.body[-1] = ast.copy_location(ast.Assign([target], value), last)
    return compile(tree, NAME, "exec", dont_inherit=True)


def _stream(descriptor, errors_as):
    # Nothing is held back: what was printed is out, whatever ends the program.
    raw = io.FileIO(descriptor, "w", closefd=False)
    return io.TextIOWrapper(raw, encoding="utf-8", errors=errors_as, write_through=True)


def _surround(task):
    """Streams, environment, arguments and randomness of this program."""
    sys.stdin = open(0, encoding="utf-8", errors="surrogateescape", closefd=False)
    sys.stdout = sys.__stdout__ = _stream(1, "surrogateescape")
    sys.stderr = sys.__stderr__ = _stream(2, "backslashreplace")
    sys.__stdin__ = sys.stdin
    os.environ.clear()
    os.environ.update(task["env"])
    sys.argv[:] = [NAME, *task["args"]]
    sys.path.insert(0, os.getcwd())
    tempfile.tempdir = None
    # Matplotlib's, of a folder of the warm interpreter that is not this program's to remove.
    atexit.unregister(shutil.rmtree)
    seed = task["seed"]
    random.seed(seed)
    if "numpy" in sys.modules:
        import numpy

        numpy.random.seed(None if seed is None else seed & 0xFFFFFFFF)


def _finish(main):
    """What the interpreter does at its end as far as a program can see it."""
    try:
        threading._shutdown()
        atexit._run_exitfuncs()
        _flush()
        for name in [name for name in main if name != "__builtins__"]:
            main[name] = None
        gc.collect()
    except BaseException as error:
        sys.excepthook(type(error), error, error.__traceback__)
    _flush()


def _flush():
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:
            # Closed, or replaced by something else.
            pass
