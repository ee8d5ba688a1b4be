"""What this guest is and can import, for the manifest."""

import json
import sys


def catalogue(importable):
    """`importable` holds [name, distribution or null]: what a throw-away instance imported."""
    from sandgate_boot import importer
    from sandgate_boot.resources import Installed

    packages = [
        {"name": name, "version": Installed(folder).version}
        for name, folder in sorted(importer.library.distributions.items())
    ]
    return {
        "language": "python",
        "version": "{}.{}.{}".format(*sys.version_info),
        "implementation": "CPython",
        "modules": [{"name": name, "package": package} for name, package in importable],
        "packages": packages,
    }


def print_catalogue(importable):
    print(json.dumps(catalogue(importable)))
