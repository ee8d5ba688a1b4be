# Lays out what the guest reads while it starts: the prelude, and the packages as node_modules has
# them. Nothing of it is there at run time: the snapshot holds what became of it.
mkdir -p "$OUT/lib" "$OUT/work" "$OUT/tmp"
cp -r "$RECIPE/lib/." "$OUT/lib/"
"$PYTHON" "$RECIPE/root.py" "$OUT"
