#!/bin/bash
# Fetches the ONNX project's backend node tests (models, inputs, expected outputs; 52 MB) from the onnx wheel into the
# cache, for tests/onnx/node_test.cc and docs/onnx-coverage.md. Does nothing when they are there. Prints the folder.
set -euo pipefail
version=1.22.0
# The wheel of one fixed platform, whatever this machine is: only its data are used, and its digest is known.
sha256=1d0a2bdb15eb2b3cb65c438f3423d9620d14fdce32f92380e6bb1b2e09568ef5
folder="${XDG_CACHE_HOME:-$HOME/.cache}/tenon/onnx-node-tests-$version"
if [ -d "$folder" ]; then
  echo "$folder"
  exit 0
fi
mkdir -p "$(dirname "$folder")"
work=$(mktemp -d "$folder.XXXXXX")
trap 'rm -rf "$work"' EXIT
python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --python-version 3.11 \
  --implementation cp --abi cp311 --platform manylinux_2_28_x86_64 --dest "$work" "onnx==$version" >&2
wheel=$(ls "$work"/onnx-"$version"-*.whl)
echo "$sha256  $wheel" | sha256sum --check --quiet >&2
python3 - "$wheel" "$work" <<'PYTHON'
import sys, zipfile
prefix = "onnx/backend/test/data/node/"
with zipfile.ZipFile(sys.argv[1]) as wheel:
    wheel.extractall(sys.argv[2], [name for name in wheel.namelist() if name.startswith(prefix)])
PYTHON
chmod 755 "$work/onnx/backend/test/data/node"
# Another run may have been faster: then its folder stays.
mv -T "$work/onnx/backend/test/data/node" "$folder" 2>/dev/null || [ -d "$folder" ]
echo "$folder"
