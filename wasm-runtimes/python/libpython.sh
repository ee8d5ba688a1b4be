# libpython3.13.a and what it needs of its own libraries, for wasm. Out: lib/*.a, include/ (the
# headers, the internal ones and the generated pyconfig.h among them) and sysconfigdata.
source "$RECIPE/flags.sh"
wasm_tools

cp -r "$SRC_CPYTHON" src
chmod -R u+w src
for patch in code-writes dealloc nesting random recursion waits speed; do patch -s -d src -p1 <"$RECIPE/patches/cpython-$patch.patch"; done

export CONFIG_SITE="$PWD/src/Tools/wasm/config.site-wasm32-wasi"
export CC=wasm-cc AR=wasm-ar RANLIB=wasm-ranlib CPP="wasm-cc -E" PKG_CONFIG_LIBDIR=/nonexistent
# What runs often is laid out and inlined for that: see README.md. A profile of other source is
# ignored without a word, function by function.
(cd "$RECIPE" && sha256sum --quiet --check profile/interpreter.sha256) ||
  { echo "the interpreter's source has changed: run profile/make.sh, see README.md" >&2; exit 1; }
profile="-fprofile-instr-use=$RECIPE/profile/interpreter.profdata"
export CFLAGS="$WASM_CFLAGS $profile -Wno-error=implicit-function-declaration -I$DEP_DEPS/include"
export CPPFLAGS="-I$DEP_DEPS/include" LDFLAGS="-L$DEP_DEPS/lib"
export ZLIB_CFLAGS=" " ZLIB_LIBS="-lz" BZIP2_CFLAGS=" " BZIP2_LIBS="-lbz2"
export LIBLZMA_CFLAGS=" " LIBLZMA_LIBS="-llzma" LIBSQLITE3_CFLAGS=" " LIBSQLITE3_LIBS="-lsqlite3"

# mmap: declared, but only emulated by copying. 30-bit digits: the default for 32-bit machines is
# 15, and wasm multiplies 64 bits as fast.
configure() {
  rm -rf build
  mkdir build
  (cd build && ../src/configure --host=wasm32-unknown-wasip1 --build=x86_64-pc-linux-gnu \
    --prefix=/usr --with-build-python="$DEP_NATIVE/bin/python3.13" --with-pymalloc \
    --without-mimalloc --enable-big-digits=30 --without-ensurepip --disable-test-modules \
    --with-openssl=/nonexistent ac_cv_func_mmap=no \
    >configure.log 2>&1) || { tail -n 40 build/configure.log >&2; exit 1; }
}

# What configure finds is known. A test program of its that fails for another reason than the question
# it asks, on an overloaded machine for one, would leave a function out without a word.
found_what_is_known() {
  grep -o '^#define HAVE_[A-Za-z0-9_]*' build/pyconfig.h | cut -d ' ' -f 2 | sort >features.txt
  diff "$RECIPE/features.txt" features.txt >features.diff
}

configure
found_what_is_known || configure
found_what_is_known || {
  echo "configure found, twice, other features than features.txt lists (< missing, > new); if this is" \
    "meant, replace the list by" >&2
  grep '^[<>]' features.diff >&2
  exit 1
}
cd build
# The interpreter's loop finds an instruction by comparing, what the profile says is frequent first:
# an indirect jump from one place for all instructions costs more.
echo 'Python/ceval.o: PY_CORE_CFLAGS += -fno-jump-tables -mllvm -enable-tail-merge=false' >>Makefile
# SOCK_RAW is missing from wasi's headers; the socket module only wants its name.
make -j"$JOBS" MODULE__SOCKET_CFLAGS=-DSOCK_RAW=3 libpython3.13.a >make.log 2>&1 ||
  { grep -n 'error' make.log | head -n 20 >&2; tail -n 20 make.log >&2; exit 1; }

mkdir -p "$OUT/lib" "$OUT/include"
cp libpython3.13.a Modules/_decimal/libmpdec/libmpdec.a Modules/expat/libexpat.a \
  Modules/_hacl/libHacl_Hash_SHA2.a "$OUT/lib"
cp -r ../src/Include/. pyconfig.h "$OUT/include"
