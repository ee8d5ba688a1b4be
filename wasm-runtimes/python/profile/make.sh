#!/usr/bin/env bash
# Takes the profile anew, after a change to CPython's version or to a patch of its loop:
#   make.sh SOURCE
# SOURCE is CPython's unpacked source. It needs clang and llvm-profdata of the major version that
# the pinned compiler is built of (Debian: clang-22, llvm-22, libclang-rt-22-dev).
#
# The profile counts how often each branch of the C source is taken. That is the same wherever the
# source runs, so a native build is profiled: without computed gotos, which wasm does not have, so
# that the source is the same one.
set -euo pipefail
source=$(realpath "$1")
here=$(dirname "$(realpath "$0")")
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"

cp -r "$source" src
chmod -R u+w src
# All patches but the one that asks the sandbox for entropy.
for patch in code-writes dealloc nesting recursion waits speed; do
  patch -s -d src -p1 <"$here/../patches/cpython-$patch.patch"
done
mkdir build
cd build
export CC=clang-22 CFLAGS="-O1 -fprofile-instr-generate" LDFLAGS=-fprofile-instr-generate
export LLVM_PROFILE_FILE=$scratch/build.profraw
../src/configure --with-computed-gotos=no --with-pymalloc --without-mimalloc \
  --enable-big-digits=30 --without-ensurepip --disable-test-modules --with-openssl=/nonexistent \
  >configure.log 2>&1 || { tail -n 40 configure.log >&2; exit 1; }
make -j"$(nproc)" >make.log 2>&1 || { tail -n 40 make.log >&2; exit 1; }
PYTHONHASHSEED=0 LLVM_PROFILE_FILE=$scratch/train.profraw ./python -S "$here/train.py"
llvm-profdata-22 merge --sparse --text -o "$scratch/train.txt" "$scratch/train.profraw"
./python -S "$here/filter.py" <"$scratch/train.txt" >"$scratch/often.txt"
llvm-profdata-22 merge -o "$here/interpreter.profdata" "$scratch/often.txt"
# Which source it is of: the patches that change the interpreter's loop.
cd "$here/.."
sha256sum patches/cpython-{code-writes,recursion,speed}.patch >profile/interpreter.sha256
