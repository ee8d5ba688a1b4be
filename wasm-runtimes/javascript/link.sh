# Patches the engine and links it with the guest's entry points into one reactor module.
cp -r "$SRC_QUICKJS/quickjs" engine
chmod -R u+w engine
patch -s -d engine -p1 <"$RECIPE/patches/quickjs.patch"

# -fno-strict-aliasing, -funsigned-char: as the engine's own build has them. NDEBUG takes the
# asserts out of the interpreter's loop. The shadow stack is 4 MiB; run.h.inc knows that figure.
$ZIG cc -target wasm32-wasi -O3 -mexec-model=reactor \
  -DNDEBUG -D_GNU_SOURCE -fno-sanitize=undefined -fno-strict-aliasing -funsigned-char -Wno-everything \
  -Iengine -I"$RECIPE/src" \
  "$RECIPE/src/guest.c" engine/libregexp.c engine/libunicode.c engine/dtoa.c \
  -Wl,-z,stack-size=4194304 -Wl,--strip-all -o "$OUT/javascript.wasm"
