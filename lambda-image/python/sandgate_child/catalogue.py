"""What this interpreter can import, as JSON on standard output. Run while the image is built.

Top-level modules are imported, so that what is listed is there. What is inside them is listed by
its files: importing thousands would take minutes.
"""

import contextlib
import importlib
import importlib.metadata
import json
import os
import pathlib
import platform
import sys
import sysconfig
import warnings

# Each does something when imported, or belongs to a window system.
NOT_FOR_PROGRAMS = {"antigravity", "this", "idlelib", "turtledemo", "lib2to3"}

SUFFIXES = (".py", ".so")


def module_of(path):
    """The module that a file, relative to a folder of modules, is; None for any other."""
    if path.suffix not in SUFFIXES:
        return None
    # Extension modules are named `name.cpython-311-x86_64-linux-gnu.so`.
    parts = [*path.parent.parts, path.name.partition(".")[0]]
    if parts[-1] == "__init__":
        parts.pop()
    hidden = any(part.startswith("_") or part == "tests" or not part.isidentifier() for part in parts)
    return None if hidden or not parts else ".".join(parts)


def importable(name):
    # What packages say while they are imported is not for the catalogue.
    with contextlib.redirect_stdout(sys.stderr), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            importlib.import_module(name)
        except Exception:
            return False
    return True


def standard_library():
    """The language's own modules: module names."""
    found = set()
    tops = {name for name in sys.stdlib_module_names if not name.startswith("_")}
    tops = {name for name in tops - NOT_FOR_PROGRAMS if importable(name)}
    folder = pathlib.Path(sysconfig.get_path("stdlib"))
    for top in tops:
        found.add(top)
        for path in (folder / top).rglob("*"):
            name = module_of(path.relative_to(folder))
            if name:
                found.add(name)
    return found


def distributions():
    """The installed packages: name to distribution."""
    site = sysconfig.get_path("purelib")
    found = importlib.metadata.distributions(path=[site])
    # The tools that installed the others.
    return {d.metadata["Name"]: d for d in found if d.metadata["Name"] not in ("pip", "setuptools", "wheel")}


def catalogue():
    modules = {name: None for name in standard_library()}
    packages = {}
    for package, distribution in distributions().items():
        packages[package] = distribution.version
        names = {module_of(pathlib.PurePath(str(file))) for file in distribution.files or []}
        tops = {name.partition(".")[0] for name in names if name}
        tops = {top for top in tops if importable(top)}
        for name in names:
            if name and name.partition(".")[0] in tops:
                modules[name] = package
    return {
        "implementation": platform.python_implementation(),
        "version": platform.python_version(),
        "modules": [{"name": name, "package": modules[name]} for name in sorted(modules)],
        "packages": [
            {"name": name, "version": packages[name]} for name in sorted(packages)
        ],
    }


def main():
    # Finds the fonts and notes them in a file that the zygotes start from.
    os.makedirs(os.environ["MPLCONFIGDIR"], exist_ok=True)
    importable("matplotlib.font_manager")
    print(json.dumps(catalogue()))


main()
