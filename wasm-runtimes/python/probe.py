"""Writes what the guest can import: tries every module of its library in an instance that is
thrown away afterwards, so that none of them is warm in the snapshot that should not be.

    probe.py WASM ROOT OUT

ROOT is what `library.py` laid out, WASM the linked guest. OUT becomes a JSON array of
[module, distribution or null].
"""

import json
import pathlib
import struct
import sys
import tempfile

import wasmtime

# Run by the guest.
PROGRAM = """
import contextlib, importlib, io, json, sys
from sandgate_boot import importer

# Importing these does something: opens a browser, prints a poem, runs a program.
DOES_SOMETHING = {"antigravity", "this", "idlelib"}

def candidates():
    for name in sys.builtin_module_names:
        yield name
    for path in importer.library.modules:
        for folder in (importer.PACKAGES, importer.LIBRARY):
            if path.startswith(folder + "/"):
                yield path[len(folder) + 1 :].replace("/", ".")
                break

def can_import(name):
    if name.partition(".")[0] in DOES_SOMETHING or name.endswith("__main__"):
        return False
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            importlib.import_module(name)
    except BaseException:
        return False
    return True

def owner(name):
    path = importer.PACKAGES + "/" + name.partition(".")[0]
    return importer.library.owners.get(path)

tried = sorted(set(candidates()) | {"sys", "builtins", "os.path"})
print(json.dumps([[name, owner(name)] for name in tried if can_import(name)]))
"""


def request(code):
    def text(value):
        return struct.pack("<I", len(value)) + value + b"\0"

    return struct.pack("<II", 1, 0) + text(b"main.py") + text(code) + struct.pack("<II", 0, 0)


def main(wasm, root, out):
    config = wasmtime.Config()
    # As much as the engine allows without stacks of its own; nested imports need more than usual.
    config.max_wasm_stack = 2 << 20
    engine = wasmtime.Engine(config)
    store = wasmtime.Store(engine)
    linker = wasmtime.Linker(engine)
    linker.define_wasi()
    i32, i64 = wasmtime.ValType.i32(), wasmtime.ValType.i64()
    for name in ("result", "error"):
        linker.define_func("sandgate", name, wasmtime.FuncType([i32, i32], []), lambda *_: None)
    linker.define_func("sandgate", "entropy", wasmtime.FuncType([], [i64]), lambda: 4)

    with tempfile.TemporaryDirectory() as folder:
        # The catalogue `sandgate_init` prints comes first, on a line of its own.
        printed = pathlib.Path(folder, "stdout")
        wasi = wasmtime.WasiConfig()
        wasi.preopen_dir(str(root), "/")
        wasi.stdout_file = str(printed)
        wasi.inherit_stderr()
        store.set_wasi(wasi)
        instance = linker.instantiate(store, wasmtime.Module.from_file(engine, str(wasm)))
        exports = instance.exports(store)
        exports["_initialize"](store)
        exports["sandgate_init"](store)
        block = request(PROGRAM.encode())
        address = exports["sandgate_alloc"](store, len(block))
        exports["memory"].write(store, block, address)
        code = exports["sandgate_run"](store, address, len(block))
        # What the guest printed since waits in its own memory: see the stdio block in ABI.md.
        stdio = exports["sandgate_stdio"](store)
        data, _, length, _ = struct.unpack("<IIII", exports["memory"].read(store, stdio, stdio + 16))
        text = printed.read_bytes() + exports["memory"].read(store, data, data + length)
    if code != 0:
        sys.exit(f"the guest could not try its modules: exit code {code}")
    out.write_bytes(text.splitlines()[-1] + b"\n")


if __name__ == "__main__":
    main(*map(pathlib.Path, sys.argv[1:]))
