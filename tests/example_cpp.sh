#!/bin/bash
# examples/cpp/detect runs an engine of the bundled example. usage: example_cpp.sh TENON DETECT
set -euo pipefail
tenon=$1 detect=$2 example=$(dirname "$0")/../examples/forklift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export XDG_CACHE_HOME=$work
"$tenon" export "$example/forklift.onnx" --effort 0 -o "$work/forklift.tenon" --quiet
"$detect" "$work/forklift.tenon" | tee "$work/zeros"
grep -qx 'output0: 1x11x2100' "$work/zeros"

# The same input from a file: the same output.
head -c $((3 * 320 * 320 * 4)) /dev/zero >"$work/zeros.f32"
"$detect" "$work/forklift.tenon" "$work/zeros.f32" | cmp - "$work/zeros"

# Errors are sentences with the contract's exit status.
status=0
"$detect" "$work/none.tenon" 2>"$work/errors" || status=$?
[ "$status" -eq 2 ] && grep -q 'none.tenon' "$work/errors"
head -c 100000 "$work/forklift.tenon" >"$work/cut.tenon"
status=0
"$detect" "$work/cut.tenon" 2>"$work/errors" || status=$?
[ "$status" -eq 2 ] && grep -q 'cut' "$work/errors"
