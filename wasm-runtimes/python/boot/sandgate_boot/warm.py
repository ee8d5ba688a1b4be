"""What is worth having warm in the snapshot."""

import importlib


def import_all(names):
    for line in names.splitlines():
        for name in line.partition("#")[0].split():
            importlib.import_module(name)


def exercise():
    """Runs the usual paths, so that their bytecode is specialised and their caches are filled."""
