#!/bin/sh
# Runs a test of this folder with the Python that has the oracles: $TENON_TEST_PYTHON, else .venv's (make deps).
# usage: run.sh TEST.py [ARGUMENTS...]     Exit status 77: skipped, with the reason on stdout.
here=$(cd "$(dirname "$0")" && pwd)
python=${TENON_TEST_PYTHON:-$here/../../.venv/bin/python}
test=$1
shift
if ! "$python" -c 'import numpy, onnx, onnxruntime, PIL' 2>/dev/null; then
  echo "$test: needs numpy, onnx, onnxruntime and pillow (make deps, or TENON_TEST_PYTHON)"
  exit 77
fi
exec "$python" -B "$here/$test" "$@"
