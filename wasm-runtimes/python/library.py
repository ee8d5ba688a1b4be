"""Lays out what the guest finds in its file system while it is built.

    library.py ROOT BOOT STDLIB [SITE...]

ROOT is the folder to fill. BOOT is the recipe's boot folder, STDLIB the standard library, each
SITE a folder with one distribution as it is installed. Run by the very Python version of the guest: the
code objects are its own.

    library.bin    code and source of every module, and the files that packages carry, each
                   compressed: most of it no execution ever reads
    library.index  where in it they are: see `Library` in boot/sandgate_boot/importer.py
    usr/lib/…      the modules the interpreter needs before our importer is there
    boot/          the boot code
"""

import email.parser
import importlib.util
import marshal
import pathlib
import sys
import zlib

LIBRARY = "/usr/lib/python3.13"
PACKAGES = LIBRARY + "/site-packages"
IMPORTLIB = "<frozen importlib._bootstrap_external>"

# Never of use in the sandbox: CPython's own tests, what needs a display, a terminal, native
# libraries, or pip.
LEFT_OUT = {
    "__phello__", "ctypes", "curses", "ensurepip", "idlelib", "lib2to3", "site-packages", "test",
    "tkinter", "turtle.py", "turtledemo", "venv", "pty.py", "tty.py",
}  # fmt: skip

# Packages carry their tests too.
TESTS = {"tests", "test", "testing_data", "__pycache__", "benchmarks"}

# What an installation has no use for.
BUILD_FILES = {".c", ".exe", ".h", ".pxd", ".pyi", ".pyx", ".so", "RECORD", "INSTALLER", "WHEEL"}

# Wanted before the boot code can install the importer.
EARLY = ("encodings",)


class Content:
    """library.bin as it grows; equal pieces are stored once."""

    def __init__(self):
        self.data = bytearray()
        self.known = {}

    def add(self, piece):
        if piece not in self.known:
            self.known[piece] = len(self.data)
            self.data += piece
        return self.known[piece], len(piece)


def compiled(source, name):
    return marshal.dumps(compile(source, name, "exec", dont_inherit=True, optimize=0))


def write_compiled(source, name, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    header = importlib.util.MAGIC_NUMBER + bytes(12)
    path.write_bytes(header + compiled(source, name))


def wanted(path, folder, left_out):
    parts = path.relative_to(folder).parts
    if path.is_dir() or "__pycache__" in parts or parts[0] in left_out:
        return False
    return left_out is LEFT_OUT or not TESTS.intersection(parts[:-1])


def add_folder(folder, target, left_out, content, index):
    for path in sorted(folder.rglob("*")):
        if not wanted(path, folder, left_out):
            continue
        inside = path.relative_to(folder)
        name = f"{target}/{inside}"
        if path.suffix == ".py":
            add_module(path.read_bytes(), name, content, index)
        elif path.suffix not in BUILD_FILES and path.name not in BUILD_FILES:
            index["files"][name] = content.add(zlib.compress(path.read_bytes(), 9))


def add_module(source, name, content, index):
    try:
        code = compiled(source, name)
    except SyntaxError as error:
        print(f"left out {name}: {error}")
        return
    package = name.endswith("/__init__.py")
    path = name.removesuffix("/__init__.py").removesuffix(".py")
    entry = (package, *content.add(zlib.compress(code, 9)), *content.add(zlib.compress(source, 9)))
    index["modules"][path] = entry


def add_distributions(sites, index):
    """Every site is one distribution: what it holds beside its metadata is its own."""
    for site in sites:
        (metadata,) = site.glob("*.dist-info/METADATA")
        name = email.parser.Parser().parsestr(metadata.read_text(), headersonly=True)["Name"]
        index["distributions"][name] = f"{PACKAGES}/{metadata.parent.name}"
        for path in site.iterdir():
            index["owners"][f"{PACKAGES}/{path.stem}"] = name


def folders(index):
    found = {LIBRARY, PACKAGES}
    for path in (*index["modules"], *index["files"]):
        folder = path.rpartition("/")[0]
        while folder not in found:
            found.add(folder)
            folder = folder.rpartition("/")[0]
    found.update(path for path, entry in index["modules"].items() if entry[0])
    return sorted(found - {"", "/usr", "/usr/lib"})


def main(root, boot, stdlib, *sites):
    content = Content()
    index = {"modules": {}, "files": {}, "distributions": {}, "owners": {}}
    add_folder(stdlib, LIBRARY, LEFT_OUT, content, index)
    for site in sites:
        add_folder(site, PACKAGES, set(), content, index)
    add_distributions(sites, index)
    index["folders"] = frozenset(folders(index))

    (root / "library.bin").write_bytes(content.data)
    (root / "library.index").write_bytes(marshal.dumps(index))
    for package in EARLY:
        for path in sorted((stdlib / package).glob("*.py")):
            name = f"{LIBRARY}/{package}/{path.name}"
            write_compiled(path.read_bytes(), name, root / (name[1:] + "c"))
    for path in sorted(boot.rglob("*.py")):
        inside = path.relative_to(boot)
        name = IMPORTLIB if path.name == "importer.py" else f"<sandgate>/{path.name}"
        write_compiled(path.read_bytes(), name, root / "boot" / f"{inside}c")
    (root / "boot" / "preimport.txt").write_bytes((boot / "preimport.txt").read_bytes())
    for folder in ("work", "tmp"):
        (root / folder).mkdir()
    print(f"{len(index['modules'])} modules, {len(index['files'])} files, {len(content.data)} bytes")


if __name__ == "__main__":
    main(*map(pathlib.Path, sys.argv[1:]))
