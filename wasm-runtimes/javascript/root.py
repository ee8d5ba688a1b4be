"""Lays out what the guest reads while it starts: the npm packages in SRC_* as a node_modules
folder, and the time zone rules of SRC_TZDATA as lib/zones.json.
"""

import json
import os
import shutil
import sys
from pathlib import Path

# What CommonJS loading reads.
KEPT = {".js", ".cjs", ".json"}


def copy_package(source: Path, modules: Path) -> None:
    """Copies a package under the name its own package.json has."""
    name = json.loads((source / "package.json").read_text(encoding="utf-8"))["name"]
    for folder, _, files in os.walk(source):
        for file in files:
            path = Path(folder, file)
            if path.suffix in KEPT:
                target = modules / name / path.relative_to(source)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)


def zone_rules(tzdata: Path) -> dict[str, str]:
    """The rule in force of every zone: the POSIX string at the end of its TZif file."""
    zones = tzdata / "tzdata" / "zoneinfo"
    rules = {}
    for name in (tzdata / "tzdata" / "zones").read_text(encoding="utf-8").split():
        rules[name] = (zones / name).read_bytes().rstrip(b"\n").rsplit(b"\n", 1)[1].decode("ascii")
    return rules


def main() -> None:
    root = Path(sys.argv[1])
    for variable, folder in sorted(os.environ.items()):
        if variable.startswith("SRC_") and variable != "SRC_TZDATA":
            copy_package(Path(folder), root / "node_modules")
    rules = zone_rules(Path(os.environ["SRC_TZDATA"]))
    (root / "lib" / "zones.json").write_text(json.dumps(rules, sort_keys=True), encoding="utf-8")


main()
