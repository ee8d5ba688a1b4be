#!/usr/bin/env bash
# Writes what native CPython of the guest's version prints for every case, beside the case:
#   expected.sh PYTHON
# PYTHON is the `native` step's interpreter, with the packages importable. The exit code and what
# goes to stderr are part of what is expected.
set -euo pipefail
cd "$(dirname "$0")/cases"
for case in *.py; do
  folder=$(mktemp -d)
  cp "$case" "$folder/main.py"
  code=0
  (cd "$folder" && "$1" -B main.py >out 2>err </dev/null) || code=$?
  # The guest's program is called main.py, wherever it runs; its library is in /usr.
  prefix=$("$1" -c 'import sys; print(sys.prefix)')
  for stream in out err; do
    sed -e "s|$folder/main.py|main.py|g" -e "s|$prefix/lib|/usr/lib|g" "$folder/$stream" \
      >"${case%.py}.$stream"
  done
  echo "$code" >"${case%.py}.code"
  rm -r "$folder"
done
