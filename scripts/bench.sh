#!/bin/bash
# Speed of the whole graph beside the peers, with the machine's peaks and the share of each step.
# usage: bench.sh [MODEL.onnx...]     (default: yolov8n, yolo11n of the fixtures where they are, else the bundled example)
set -euo pipefail
cd "$(dirname "$0")/.."
models=("$@")
fixtures=${TENON_SHARED:-../shared}/fixtures/models
if [ ${#models[@]} -eq 0 ]; then
  for name in yolov8n yolo11n; do [ -f "$fixtures/$name.onnx" ] && models+=("$fixtures/$name.onnx"); done
  [ ${#models[@]} -gt 0 ] || models=(examples/forklift/forklift.onnx)
fi
grep -m1 'model name' /proc/cpuinfo; uptime
build/peak_bench
.venv/bin/python bench/peers.py "${models[@]}"
mkdir -p runs
for model in "${models[@]}"; do
  for flag in "" --half; do
    build/tenon export "$model" $flag -o runs/bench.tenon --quiet >/dev/null
    echo "$(basename "$model") $flag"; build/tenon profile runs/bench.tenon --quiet
  done
done
