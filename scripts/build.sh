#!/bin/bash
# Configures a preset of CMakePresets.json and builds it (or the named targets), with output only where something is wrong.
# usage: build.sh PRESET JOBS [TARGET...]
set -euo pipefail
cd "$(dirname "$0")/.."
preset=$1 jobs=$2
shift 2
# Two builds of the same sources in different folders share the cache.
export CCACHE_BASEDIR=${CCACHE_BASEDIR:-$PWD} CCACHE_NOHASHDIR=1
log=$(mktemp)
trap 'rm -f "$log"' EXIT
cmake --preset "$preset" >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
folder=build-$preset
[ "$preset" != release ] || folder=build
if [ $# -gt 0 ]; then set -- --target "$@"; fi
echo "building $folder ($jobs jobs)"
cmake --build "$folder" -j "$jobs" "$@" >"$log" 2>&1 || { cat "$log" >&2; exit 1; }
