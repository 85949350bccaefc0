#!/bin/bash
# usage: lint.sh format             formats all sources in place
#        lint.sh check [FILE...]    formatting of all sources; clang-tidy on the files: those that differ from main, or
#                                   the given ones, or with "all" every one (about 10 s a file and core)
set -euo pipefail
cd "$(dirname "$0")/.."
mapfile -t sources < <(git ls-files -co --exclude-standard 'src/*.h' 'src/*.cc' 'include/*.hpp' 'include/*.h' 'tests/*.h' \
  'tests/*.cc' 'bench/*.cc' 'bench/*.h' 'fuzz/*.cc' 'fuzz/*.h' 'examples/*.cpp')
if [ "$1" = format ]; then
  clang-format -i "${sources[@]}"
  exit 0
fi
shift
clang-format --dry-run -Werror "${sources[@]}"

if [ "${1:-}" = all ]; then
  files=("${sources[@]}")
elif [ $# -gt 0 ]; then
  files=("$@")
else
  base=$(git merge-base HEAD origin/main 2>/dev/null || git rev-parse HEAD)
  mapfile -t files < <({ git diff --name-only --diff-filter=d "$base"; git ls-files -o --exclude-standard; } | sort -u)
fi
mapfile -t units < <(printf '%s\n' "${files[@]}" | grep -E '^(src|tests|bench|examples)/.*\.(cc|cpp)$')
[ ${#units[@]} -gt 0 ] || { echo "lint: formatting is right; no changed source for clang-tidy"; exit 0; }
# A build folder's compile commands, with generated sources there.
scripts/build.sh release "$(nproc)" engine_schema
printf '%s\n' "${units[@]}" | xargs -P "$(nproc)" -n 1 clang-tidy --quiet -p build 2>/dev/null
echo "lint: formatting is right; clang-tidy found nothing in ${#units[@]} files"
