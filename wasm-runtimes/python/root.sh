# The library and what of it can be imported.
cp -r "$DEP_LIBRARY/." "$OUT"
chmod -R u+w "$OUT"
echo '[]' >"$OUT/importable.json"
PYTHONPATH=$SRC_WASMTIME "$PYTHON" "$RECIPE/probe.py" "$DEP_LINK/python.wasm" "$OUT" importable.json
mv importable.json "$OUT"
