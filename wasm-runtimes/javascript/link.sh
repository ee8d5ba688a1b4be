# Patches the engine and links it with the guest's entry points into one reactor module.
cp -r "$SRC_QUICKJS/quickjs" engine
chmod -R u+w engine
patch -s -d engine -p1 <"$RECIPE/patches/quickjs.patch"

# Doug Lea's malloc, as in the Python guest, and for its reasons.
$ZIG cc -target wasm32-wasi -O3 -w -DHAVE_MMAP=0 -DHAVE_MREMAP=0 -DHAVE_MORECORE=1 -DMORECORE_CANNOT_TRIM \
  -DMALLOC_ALIGNMENT=16 -DDEFAULT_GRANULARITY=65536 -DLACKS_TIME_H -DNO_MALLOC_STATS=1 \
  '-DABORT=__builtin_trap()' -c "$SRC_LIBFFI_SYS/libffi/src/dlmalloc.c" -o dlmalloc.o

# -fno-strict-aliasing, -funsigned-char: as the engine's own build has them. NDEBUG takes the
# asserts out of the interpreter's loop. The shadow stack is 4 MiB; run.h.inc knows that figure.
$ZIG cc -target wasm32-wasi -O3 -mexec-model=reactor \
  -DNDEBUG -D_GNU_SOURCE -fno-sanitize=undefined -fno-strict-aliasing -funsigned-char -Wno-everything \
  -Iengine -I"$RECIPE/src" \
  "$RECIPE/src/guest.c" engine/libregexp.c engine/libunicode.c engine/dtoa.c dlmalloc.o \
  -Wl,-z,stack-size=4194304 -Wl,--strip-all -o "$OUT/javascript.wasm"
