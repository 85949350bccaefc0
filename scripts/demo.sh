#!/bin/bash
# The main job on the bundled example: two engines for this machine, their accuracy on its 300 images, one image drawn.
set -euo pipefail
cd "$(dirname "$0")/.."
tenon=build/tenon example=examples/forklift
mkdir -p runs/demo
say() { printf '\n$ tenon %s\n' "$*"; "$tenon" "$@"; }

say devices
say export "$example/forklift.onnx" -o runs/demo/forklift.tenon
say val runs/demo/forklift.tenon --data "$example/data.yaml"
if say export "$example/forklift.onnx" --half -o runs/demo/forklift-half.tenon; then
  say val runs/demo/forklift-half.tenon --data "$example/data.yaml"
else
  # Exit status 3: this CPU computes no half natively. Everything else is a failure of the demo.
  status=$?
  [ "$status" -eq 3 ] || exit "$status"
fi
say predict runs/demo/forklift.tenon "$example/images/val/val00000.jpg" --save-dir runs/demo
