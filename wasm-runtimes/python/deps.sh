# The C libraries behind zlib, bz2, lzma and sqlite3, from the sources that crates carry.
source "$RECIPE/flags.sh"
wasm_tools
mkdir -p "$OUT/include" "$OUT/lib"

# archive NAME "FLAGS" FILES...: compiles the files, JOBS at a time, into libNAME.a.
archive() {
  local name=$1 flags=$2
  shift 2
  mkdir "$name"
  # shellcheck disable=SC2086
  printf '%s\n' "$@" |
    xargs -I{} -P "$JOBS" sh -c 'exec wasm-cc "$@" -o "$0/$(basename {} .c).o" {}' \
      "$name" $WASM_CFLAGS $flags -c
  wasm-ar rcs "$OUT/lib/lib$name.a" "$name"/*.o
}

zlib=$SRC_LIBZ_SYS/src/zlib
archive z "-DHAVE_UNISTD_H" "$zlib"/*.c
cp "$zlib"/{zlib,zconf}.h "$OUT/include"

bzip2=$(echo "$SRC_BZIP2_SYS"/bzip2-*)
archive bz2 "-D_FILE_OFFSET_BITS=64" \
  "$bzip2"/{blocksort,huffman,crctable,randtable,compress,decompress,bzlib}.c
cp "$bzip2/bzlib.h" "$OUT/include"

# One thread, no shared memory and no loadable extensions in the sandbox; temporary tables stay in
# memory.
sqlite=$PWD/sqlite3-src
cp -r "$SRC_LIBSQLITE3_SYS/sqlite3" "$sqlite"
chmod -R u+w "$sqlite"
patch -s -d "$sqlite" -p2 <"$RECIPE/patches/sqlite-randomness.patch"
archive sqlite3 "-DSQLITE_THREADSAFE=0 -DSQLITE_OMIT_WAL -DSQLITE_OMIT_LOAD_EXTENSION
  -DSQLITE_OMIT_SHARED_CACHE -DSQLITE_DEFAULT_MEMSTATUS=0 -DSQLITE_TEMP_STORE=3
  -DSQLITE_ENABLE_FTS5 -DSQLITE_ENABLE_MATH_FUNCTIONS -DSQLITE_ENABLE_COLUMN_METADATA
  -DHAVE_FCHMOD=0 -DLONGDOUBLE_TYPE=double" "$sqlite/sqlite3.c"
cp "$sqlite"/{sqlite3,sqlite3ext}.h "$OUT/include"

# Without threads liblzma still names the signal mask, which wasi does not have.
lzma=$(echo "$SRC_LZMA_SYS"/xz-*)
includes=""
for part in liblzma/{api,lzma,lz,check,simple,delta,common,rangecoder} common; do
  includes+=" -I$lzma/src/$part"
done
mapfile -t sources < <(find "$lzma"/src/liblzma/{common,lzma,lz,check,delta,rangecoder,simple} \
  -name '*.c' ! -name '*_small.c' ! -name '*tablegen.c' ! -name 'stream_encoder_mt.c' | sort)
archive lzma "-std=c99 -D_GNU_SOURCE -D_WASI_EMULATED_SIGNAL -Dsigset_t=int
  -Dsigprocmask(a,b,c)=0 -DHAVE_CONFIG_H -DHAVE_VISIBILITY=0 -I$RECIPE/lzma $includes" \
  "${sources[@]}" "$lzma"/src/common/tuklib_{cpucores,physmem}.c
cp -r "$lzma"/src/liblzma/api/{lzma.h,lzma} "$OUT/include"
