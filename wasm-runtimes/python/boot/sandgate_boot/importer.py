"""Imports from memory.

The library (the standard one and the packages) is one block of bytes in the snapshot, laid out by
`library.py` of the recipe. A path hook stands in for the file system below its two folders, so
that the order of `sys.path` and everything that builds on path hooks stay Python's own.

This file is compiled under the name of importlib's own code: the interpreter leaves frames of
that name out of the tracebacks of failing imports, and so ours too.
"""

# `importlib` itself cannot be imported before this is installed.
import _frozen_importlib_external as _bootstrap_external
import marshal
import sys
import zlib
from _frozen_importlib import ModuleSpec
from _frozen_importlib_external import FileFinder, SourceFileLoader, SourcelessFileLoader

from sandgate_boot import unavailable

LIBRARY = "/usr/lib/python3.13"
PACKAGES = LIBRARY + "/site-packages"


class Library:
    """The block of bytes and its index.

    `modules` maps a path without its suffix to (is a package, start and length of its marshalled
    code, start and length of its source); `files` maps a path to (start, length). All of it is
    compressed.
    """

    def __init__(self, content, index):
        self.content = content
        self.modules = index["modules"]
        self.files = index["files"]
        self.folders = index["folders"]
        # The metadata's folder of each distribution, and which one a top-level module belongs to.
        self.distributions = index["distributions"]
        self.owners = index["owners"]

    def piece(self, start, length):
        return zlib.decompress(self.content[start : start + length])

    def code(self, entry):
        return marshal.loads(self.piece(*entry[1:3]))

    def source(self, entry):
        return self.piece(*entry[3:5]).decode()

    def file(self, path):
        try:
            return self.piece(*self.files[path])
        except KeyError:
            raise FileNotFoundError(2, "No such file or directory", path) from None


library = None


class Loader(_bootstrap_external._LoaderBasics):
    """Loads one module; what `SourceFileLoader` is to a module on disk."""

    __slots__ = ("name", "path", "entry")

    def __init__(self, name, path, entry):
        self.name = name
        self.path = path
        self.entry = entry

    def get_filename(self, name=None):
        return self.path

    def is_package(self, name=None):
        return self.entry[0]

    def get_code(self, name=None):
        return library.code(self.entry)

    def get_source(self, name=None):
        return library.source(self.entry)

    def get_data(self, path):
        if path == self.path:
            return library.source(self.entry).encode()
        return library.file(path)

    def get_resource_reader(self, name=None):
        if not self.entry[0]:
            return None
        from sandgate_boot.resources import Reader

        return Reader(self.path.rpartition("/")[0])


class Folder:
    """Finds the modules of one folder of the library."""

    def __init__(self, path):
        self.path = path

    def find_spec(self, name, target=None):
        path = self.path + "/" + name.rpartition(".")[2]
        entry = library.modules.get(path)
        if entry is None:
            if self.path == LIBRARY and name in unavailable.MODULES:
                raise ModuleNotFoundError(unavailable.module_message(name), name=name)
            return None
        return spec_of(name, path, entry)

    def iter_modules(self, prefix=""):
        """What `pkgutil.iter_modules` asks path entry finders."""
        for path, entry in library.modules.items():
            folder, _, name = path.rpartition("/")
            if folder == self.path:
                yield prefix + name, entry[0]

    def find_distributions(self, context):
        from sandgate_boot.resources import distributions

        return distributions(context.name) if self.path == PACKAGES else iter(())

    def invalidate_caches(self):
        pass


def spec_of(name, path, entry):
    file = path + ("/__init__.py" if entry[0] else ".py")
    spec = ModuleSpec(name, Loader(name, file, entry), origin=file, is_package=entry[0])
    spec._set_fileattr = True
    if entry[0]:
        spec.submodule_search_locations.append(path)
    return spec


def library_hook(path):
    if path in library.folders:
        return Folder(path)
    raise ImportError("not a folder of the library", path=path)


def adopt(module):
    """Makes a module that was imported from the build's files one of the library's."""
    spec = module.__spec__
    path = f"{LIBRARY}/{spec.name.replace('.', '/')}"
    ours = spec_of(spec.name, path, library.modules[path])
    module.__spec__ = ours
    module.__loader__ = ours.loader
    module.__file__ = ours.origin
    module.__cached__ = ours.cached
    if ours.submodule_search_locations is not None:
        module.__path__ = ours.submodule_search_locations


def install(content, index):
    """Takes over from the files of the build."""
    global library
    library = Library(content, index)
    sys.path[:] = ["/work", LIBRARY, PACKAGES]
    sys.path_hooks[:] = [
        library_hook,
        FileFinder.path_hook((SourceFileLoader, [".py"]), (SourcelessFileLoader, [".pyc"])),
    ]
    sys.path_importer_cache.clear()
    for module in list(sys.modules.values()):
        spec = getattr(module, "__spec__", None)
        if spec is not None and spec.origin and spec.origin.startswith(LIBRARY):
            adopt(module)
