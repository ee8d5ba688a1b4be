# The file system the guest starts in: the library, the boot code, /work and /tmp.
cp -r "$SRC_CPYTHON/Lib" stdlib
chmod -R u+w stdlib
patch -s -d stdlib -p2 <"$RECIPE/patches/stdlib-sandbox.patch"
cp "$RECIPE/sysconfigdata.py" stdlib/_sysconfigdata__wasi_wasm32-wasi.py

cp -r "$SRC_SYMPY" sympy
chmod -R u+w sympy
# It asks ctypes, which the guest lacks, for nothing but the size of a long.
patch -s -d sympy -p1 <"$RECIPE/patches/sympy-ctypes.patch"
SRC_SYMPY=$PWD/sympy

# A wheel is laid out as it is installed. Of the two packages that only have wheels with native
# code, the pure part of the source distribution.
sites=()
for source in "${!SRC_@}"; do
  if compgen -G "${!source}/*.dist-info" >/dev/null; then sites+=("${!source}"); fi
done
source_distribution() {
  mkdir -p "site-$2/$2.dist-info"
  cp -r "$3" "site-$2"
  cp "$1/PKG-INFO" "site-$2/$2.dist-info/METADATA"
  sites+=("site-$2")
}
source_distribution "$SRC_PYYAML" PyYAML "$SRC_PYYAML/lib/yaml"
source_distribution "$SRC_MARKUPSAFE" MarkupSafe "$SRC_MARKUPSAFE/src/markupsafe"

PYTHONHASHSEED=0 "$DEP_NATIVE/bin/python3.13" -I "$RECIPE/library.py" \
  "$OUT" "$RECIPE/boot" stdlib "${sites[@]}"
