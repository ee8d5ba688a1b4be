"""Files that packages carry, for `importlib.resources` and `importlib.metadata`."""

import io
import pathlib
import re
from importlib.metadata import Distribution
from importlib.resources.abc import Traversable, TraversableResources

from sandgate_boot import importer


class Resource(Traversable):
    """A file or folder of the library."""

    def __init__(self, path):
        self._path = path

    @property
    def name(self):
        return self._path.rpartition("/")[2]

    def is_file(self):
        return self._path in importer.library.files

    def is_dir(self):
        return self._path in importer.library.folders

    def iterdir(self):
        start = self._path + "/"
        library = importer.library
        for path in (*library.files, *library.folders):
            if path.startswith(start) and "/" not in path[len(start) :]:
                yield Resource(path)

    def joinpath(self, *parts):
        # A PurePath only to resolve what `..` and absolute parts mean.
        return Resource(str(pathlib.PurePosixPath(self._path, *parts))) if parts else self

    def open(self, mode="r", *arguments, **keywords):
        stream = io.BytesIO(importer.library.file(self._path))
        return stream if "b" in mode else io.TextIOWrapper(stream, *arguments, **keywords)

    def __truediv__(self, part):
        return self.joinpath(part)

    def __repr__(self):
        return f"Resource({self._path!r})"


class Reader(TraversableResources):
    def __init__(self, folder):
        self._folder = folder

    def files(self):
        return Resource(self._folder)


class Installed(Distribution):
    """A package of the library, by its `.dist-info` folder."""

    def __init__(self, folder):
        self._folder = folder

    def read_text(self, filename):
        try:
            return importer.library.file(f"{self._folder}/{filename}").decode()
        except FileNotFoundError:
            return None

    def locate_file(self, path):
        return Resource(importer.PACKAGES).joinpath(str(path))


def _canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def distributions(name):
    for found, folder in importer.library.distributions.items():
        if name is None or _canonical(found) == _canonical(name):
            yield Installed(folder)
