"""Runs once, before the snapshot. What `sandgate_run` calls later is named at the end."""

import marshal
import sys

import _sandgate
from sandgate_boot import importer

# Looked at after every program, so it is made first: it lies with the interpreter's own objects.
log_handlers = []

with open("/library.index", "rb") as file:
    importer.install(_sandgate.map_file("/library.bin"), marshal.load(file))

import atexit
import builtins
import gc
import json
import logging
import os
import random
import site

from sandgate_boot import catalogue, errors, events, results, unavailable, warm

with open("/importable.json") as file:
    IMPORTABLE = json.load(file)
# sympy draws numbers while it is imported, from generators without a seed. Meanwhile they have one,
# so that a draw that is not meant is told of by the build.
random.seed(0)
random.Random.__init__.__defaults__ = (0,)
with open("/boot/preimport.txt") as file:
    warm.import_all(file.read())
random.Random.__init__.__defaults__ = (None,)

unavailable.install()
events.install()
site.setquit()
site.sethelper()
site.setcopyright()
sys.unraisablehook = errors.unraisable
builtins.display = results.display
sys.argv[:] = ["main.py"]
os.environ.clear()
os.environ.update({"HOME": "/work", "LANG": "C.UTF-8"})
warm.exercise()
log_handlers[:] = logging._handlerList
logging._handlerList = log_handlers
logging.shutdown.__defaults__ = (log_handlers,)
# `sandgate_run` calls it, where a program has handlers to flush: every other need not.
atexit.unregister(logging.shutdown)
errors.name_program("main.py")

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
    __file__="main.py",
    __cached__=None,
)


# Without a seed, a generator starts afresh at first use.
for candidate in gc.get_objects():
    if issubclass(type(candidate), random.Random):
        candidate.seed()
del candidate


def set_program(name, arguments, environment):
    """What differs from the usual program: its name, its arguments, its environment."""
    if name != "main.py":
        main.__file__ = name
        errors.name_program(name)
    sys.argv[:] = [name, *arguments]
    for variable in environment:
        key, _, value = variable.partition("=")
        if key:
            os.environ[key] = value


def print_catalogue():
    global IMPORTABLE
    catalogue.print_catalogue(IMPORTABLE)
    IMPORTABLE = None


show = results.show
describe = errors.describe
log_shutdown = logging.shutdown
