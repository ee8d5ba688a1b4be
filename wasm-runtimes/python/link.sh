# The guest as a reactor module, before its snapshot.
source "$RECIPE/flags.sh"
wasm_tools
library=$DEP_LIBPYTHON
for source in "$RECIPE"/guest/*.c; do
  # shellcheck disable=SC2086
  wasm-cc $WASM_CFLAGS -I"$library/include" -c "$source" -o "$(basename "$source" .c).o"
done
# shellcheck disable=SC2086
wasm-cc $WASM_CFLAGS $WASM_LDFLAGS -mexec-model=reactor -o "$OUT/python.wasm" ./*.o \
  "$library"/lib/{libpython3.13,libmpdec,libexpat,libHacl_Hash_SHA2}.a \
  -L"$DEP_DEPS/lib" -lsqlite3 -lz -lbz2 -llzma \
  -lwasi-emulated-signal -lwasi-emulated-getpid -lwasi-emulated-process-clocks -lm
