# The file system the guest starts in, before the snapshot: the library, the boot code, /work, /tmp.
cp -r "$SRC_CPYTHON/Lib" stdlib
chmod -R u+w stdlib
shopt -s nullglob
for patch in "$RECIPE"/patches/stdlib-*.patch; do patch -s -d stdlib -p2 <"$patch"; done
cp "$RECIPE/sysconfigdata.py" stdlib/_sysconfigdata__wasi_wasm32-wasi.py

mkdir site
# Wheels are laid out as they are installed; of the two packages that only have wheels with native
# code, the pure part of the source distribution.
for source in "${!SRC_@}"; do
  if compgen -G "${!source}/*.dist-info" >/dev/null; then cp -r "${!source}/." site; fi
done
source_distribution() {
  cp -r "$2" site
  mkdir "site/$3.dist-info"
  cp "$1/PKG-INFO" "site/$3.dist-info/METADATA"
}
source_distribution "$SRC_PYYAML" "$SRC_PYYAML/lib/yaml" PyYAML
source_distribution "$SRC_MARKUPSAFE" "$SRC_MARKUPSAFE/src/markupsafe" MarkupSafe
chmod -R u+w site

PYTHONHASHSEED=0 "$DEP_NATIVE/bin/python3.13" -I "$RECIPE/library.py" \
  "$OUT" "$RECIPE/boot" stdlib site
