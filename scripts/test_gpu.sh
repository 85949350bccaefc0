#!/bin/bash
# The GPU test suite, from a dist folder on a machine with a GPU, its driver and NVRTC (make dist GPU=1 makes the folder):
#   every convolution tactic of a choice against FP64, runs in the caller's streams and buffers, images scaled on
#   the GPU against the CPU's, random graphs of all ops against the reference in FP32 and half.
# The last line is the count of programs. usage: test_gpu.sh [SECONDS]   (how long random graphs may take; default 240)
set -uo pipefail
here=$(cd "$(dirname "$0")" && pwd)
seconds=${1:-240}
passed=0 failed=0
run() {
  local name=$1; shift
  local start=$SECONDS
  if "$@" >"/tmp/tenon-gpu-$name.log" 2>&1; then
    passed=$((passed + 1)); echo "passed $name ($((SECONDS - start)) s): $(tail -1 "/tmp/tenon-gpu-$name.log")"
  else
    failed=$((failed + 1)); tail -60 "/tmp/tenon-gpu-$name.log"; echo "FAILED $name ($((SECONDS - start)) s)"
  fi
}
"$here/bin/tenon" devices
run conv "$here/bin/check_conv" 8
run async "$here/bin/check_async"
run images "$here/bin/check_images"
RC_PARAMS="seed=3 max_success=${TENON_GPU_GRAPHS:-150}" run random_graphs timeout "$seconds" "$here/bin/property_tests" --gtest_filter='Random*:*Regression*'
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
