# Compiler and flags of everything that ends up in the guest, in one place. Sourced by the steps.

# Of wasm's extensions the guest uses what every engine has had for years. Bulk memory is left
# out on purpose: Cranelift calls out of line for `memory.copy`, and an interpreter's copies are small.
WASM_TARGET="wasm32-wasi"
WASM_CPU="generic-bulk_memory-bulk_memory_opt"

WASM_CFLAGS="-O3 -g0 -DNDEBUG -fno-sanitize=undefined -Wno-date-time"
WASM_LDFLAGS="-Wl,-z,stack-size=8388608 -Wl,--initial-memory=33554432"

# CPython's build wants single commands as CC, AR and RANLIB.
wasm_tools() {
  mkdir -p bin
  printf '#!/bin/sh\nexec %s cc -target %s -mcpu=%s -fno-sanitize=undefined -Wno-date-time "$@"\n' \
    "$ZIG" "$WASM_TARGET" "$WASM_CPU" >bin/wasm-cc
  printf '#!/bin/sh\nexec %s ar "$@"\n' "$ZIG" >bin/wasm-ar
  printf '#!/bin/sh\nexec %s ranlib "$@"\n' "$ZIG" >bin/wasm-ranlib
  chmod +x bin/wasm-*
  export PATH="$PWD/bin:$PATH"
}
