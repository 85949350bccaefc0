#!/bin/bash
# Runs each fuzz target for some seconds on its seeds (fuzz/corpus, the test images, engines of the small nets; fuzz/learned:
# what earlier runs learned, made small with `fuzz_NAME -merge=1`). What it finds goes to runs/fuzz, what it learns stays in the
# build folder. The last line of a target says how often it ran.
# usage: fuzz.sh BUILD_FOLDER SECONDS [JOBS] [TARGET...]
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$1 seconds=$2 jobs=${3:-1}
shift $(($# < 3 ? $# : 3))
mkdir -p runs/fuzz "$folder/corpus/engine_seeds"
if [ $# -eq 0 ]; then for source in fuzz/*.cc; do set -- "$@" "$(basename "$source" .cc)"; done; fi

# Engines are of one machine and one format: made here. The release build is the faster compiler where it is.
tenon=build/tenon
[ -x "$tenon" ] || tenon=$folder/tenon
for model in fuzz/corpus/onnx_reader/*.onnx; do
  "$tenon" export "$model" -o "$folder/corpus/engine_seeds/$(basename "$model" .onnx).tenon" --effort 0 --quiet \
    >/dev/null 2>&1 || [ $? -eq 2 ]  # a model without static shapes is a seed of the importer alone
done

fuzz_one() {
  local folder=$1 seconds=$2 name=$3 seeds=fuzz/corpus/$3 log=$1/fuzz_$3.log
  case $name in
    engine_reader) seeds=$folder/corpus/engine_seeds ;;
    image_decoder) seeds="tests/data/images fuzz/corpus/image_decoder" ;;
  esac
  [ ! -d "fuzz/learned/$name" ] || seeds+=" fuzz/learned/$name"
  mkdir -p "$folder/corpus/$name"
  # Readers bound what they allocate by their own checks: more is a finding, as is an input that takes a minute.
  # shellcheck disable=SC2086
  if "$folder/fuzz_$name" -max_total_time="$seconds" -rss_limit_mb=2560 -timeout=60 -artifact_prefix="runs/fuzz/$name-" \
      "$folder/corpus/$name" $seeds >"$log" 2>&1; then
    echo "fuzz $name: $(grep -oE '[0-9]+ runs in [0-9]+ second' "$log")s, nothing found"
  else
    tail -40 "$log"
    echo "fuzz $name: FOUND something ($log)"
    return 1
  fi
}
export -f fuzz_one
printf '%s\n' "$@" | xargs -P "$jobs" -I{} bash -c 'fuzz_one "$@"' _ "$folder" "$seconds" {}
