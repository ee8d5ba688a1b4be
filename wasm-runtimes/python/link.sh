# The guest as a reactor module, before its snapshot.
source "$RECIPE/flags.sh"
wasm_tools
library=$DEP_LIBPYTHON
for source in "$RECIPE"/guest/*.c; do
  # shellcheck disable=SC2086
  wasm-cc $WASM_CFLAGS -I"$library/include" -c "$source" -o "$(basename "$source" .c).o"
done
# The compiler's malloc rounds up to powers of two and never merges what was freed: a list that grows
# leaves all its former selves behind. Doug Lea's, in the sources of libffi, does merge, and grows
# the last block in place. It takes memory from sbrk by wasm's pages and cannot give it back.
# shellcheck disable=SC2086
wasm-cc $WASM_CFLAGS -w -DHAVE_MMAP=0 -DHAVE_MREMAP=0 -DHAVE_MORECORE=1 -DMORECORE_CANNOT_TRIM \
  -DMALLOC_ALIGNMENT=16 -DDEFAULT_GRANULARITY=65536 -DLACKS_TIME_H -DNO_MALLOC_STATS=1 \
  '-DABORT=__builtin_trap()' -c "$SRC_LIBFFI_SYS/libffi/src/dlmalloc.c" -o dlmalloc.o
# shellcheck disable=SC2086
wasm-cc $WASM_CFLAGS $WASM_LDFLAGS -mexec-model=reactor -o "$OUT/python.wasm" ./*.o \
  "$library"/lib/{libpython3.13,libmpdec,libexpat,libHacl_Hash_SHA2}.a \
  -L"$DEP_DEPS/lib" -lsqlite3 -lz -lbz2 -llzma \
  -lwasi-emulated-signal -lwasi-emulated-getpid -lwasi-emulated-process-clocks -lm
