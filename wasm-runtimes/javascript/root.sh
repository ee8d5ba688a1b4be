# Lays out what the guest reads while it starts: the prelude. Nothing of it is there at run time.
mkdir -p "$OUT/lib" "$OUT/work" "$OUT/tmp"
cp -r "$RECIPE/lib/." "$OUT/lib/"
