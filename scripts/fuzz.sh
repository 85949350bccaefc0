#!/bin/bash
# Runs each fuzz target for some seconds on its seeds (fuzz/corpus, the test images, an engine that this build exports). What
# it finds goes to runs/fuzz, what it learns stays in the build folder.
# usage: fuzz.sh BUILD_FOLDER SECONDS
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$1 seconds=$2 status=0
mkdir -p runs/fuzz "$folder"/corpus/{engine_reader,engine_seeds}
"$folder/tenon" export fuzz/corpus/onnx_reader/relu.onnx -o "$folder/corpus/engine_seeds/relu.tenon" --effort 0 --quiet >/dev/null

seeds_of() {
  case $1 in
    engine_reader) echo "$folder/corpus/engine_seeds" ;;
    image_decoder) echo tests/data/images ;;
    *) echo "fuzz/corpus/$1" ;;
  esac
}

for source in fuzz/*.cc; do
  name=$(basename "$source" .cc)
  log=$folder/fuzz_$name.log
  mkdir -p "$folder/corpus/$name"
  # Readers bound what they allocate by their own checks: 2 GB is a finding, as is an input that takes 10 s.
  if "$folder/fuzz_$name" -max_total_time="$seconds" -rss_limit_mb=2048 -timeout=10 -artifact_prefix="runs/fuzz/$name-" \
      "$folder/corpus/$name" "$(seeds_of "$name")" >"$log" 2>&1; then
    echo "$name: $(grep -oE '[0-9]+ runs in [0-9]+ second' "$log")s, nothing found"
  else
    status=1
    tail -40 "$log"
    echo "$name: FOUND something ($log)"
  fi
done
exit $status
