"""Loads the packages, then forks a child for every task. Started by the runner."""

import ctypes
import gc
import importlib
import os
import pathlib
import shutil
import sys
import tempfile
import time
import types

# `results` is the sandbox's own: it reports through a module of this name.
sys.modules["_sandgate"] = types.ModuleType("_sandgate")

from sandgate_child import figures, program, report, warm

PRELOAD = pathlib.Path(__file__).with_name("preload.txt")


def note_fonts():
    """matplotlib wants a folder that it can write to, and looks for fonts where there is no list."""
    folder = tempfile.mkdtemp()
    os.environ["MPLCONFIGDIR"] = folder
    list_of_the_image = os.environ["SANDGATE_FONTS"]
    if os.path.isdir(list_of_the_image):
        shutil.copytree(list_of_the_image, folder, dirs_exist_ok=True)
    return folder


def preload():
    for line in PRELOAD.read_text().splitlines():
        for name in line.partition("#")[0].split():
            try:
                importlib.import_module(name)
            except Exception as error:
                # A program that needs it fails as it would anyway; others run.
                print(f"cannot load {name}: {error!r}", file=sys.stderr)


def prepare():
    sys.modules["_sandgate"].result = report.result
    fonts = note_fonts()
    preload()
    figures.install()
    warm.exercise()
    shutil.rmtree(fonts)
    program.prepare()
    threads = threads_left()
    if threads != 1:
        raise RuntimeError(f"{threads} threads are running: a child would have one of them only")
    # What the children share must not be written to by their garbage collectors.
    gc.collect()
    gc.freeze()


def threads_left():
    # The system lists a thread for a moment after it was waited for.
    for _ in range(1000):
        threads = len(os.listdir("/proc/self/task"))
        if threads == 1:
            break
        time.sleep(0.001)
    return threads


def main():
    library = ctypes.CDLL(os.environ["SANDGATE_LIBRARY"])
    prepare()
    if library.sandgate_start() != 0:
        return
    while library.sandgate_next() == 0:
        try:
            pid = os.fork()
        except OSError:
            pid = -1
        if pid == 0:
            if library.sandgate_enter() != 0:
                os._exit(0)
            # Does not return.
            program.child()
        if library.sandgate_forked(pid) != 0:
            return


main()
