#!/bin/bash
# Runs each fuzz target on its seed corpus for some seconds. What it finds goes to runs/fuzz.
# usage: fuzz.sh BUILD_FOLDER SECONDS
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$1 seconds=$2 found=0
for target in "$folder"/fuzz_*; do
  [ -x "$target" ] || continue
  name=$(basename "$target")
  corpus=$folder/corpus/$name
  mkdir -p "$corpus" "runs/fuzz"
  log=$folder/$name.log
  # Allocations are bounded by the readers' own checks, so 2 GB is a finding; so is an input that takes 10 s.
  if "$target" -max_total_time="$seconds" -rss_limit_mb=2048 -timeout=10 -artifact_prefix="runs/fuzz/$name-" "$corpus" \
      "fuzz/corpus/${name#fuzz_}" >"$log" 2>&1; then
    echo "$name: $(grep -oE 'Done [0-9]+ runs in [0-9]+ second' "$log")s, nothing found"
  else
    found=1
    tail -40 "$log"
    echo "$name: FOUND something ($log)"
  fi
done
exit $found
