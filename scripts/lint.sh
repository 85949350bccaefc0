#!/bin/bash
# usage: lint.sh format             formats all sources in place
#        lint.sh check [FILE...]    formatting and clang-tidy of files: those that differ from main, or the given ones, or
#                                   with "all" every one (clang-tidy takes about 5 s a file and core)
set -euo pipefail
cd "$(dirname "$0")/.."
mapfile -t sources < <(git ls-files -co --exclude-standard 'src/*.h' 'src/*.cc' 'include/*.hpp' 'include/*.h' 'tests/*.h' \
  'tests/*.cc' 'bench/*.cc' 'bench/*.h' 'fuzz/*.cc' 'fuzz/*.h' 'examples/*.cpp' 'examples/*.c' 'tests/*.c')
if [ "$1" = format ]; then
  clang-format -i "${sources[@]}"
  exit 0
fi
shift
if [ "${1:-}" = all ]; then
  files=("${sources[@]}")
elif [ $# -gt 0 ]; then
  files=("$@")
else
  base=$(git merge-base HEAD origin/main 2>/dev/null || git rev-parse HEAD)
  mapfile -t files < <({ git diff --name-only --diff-filter=d "$base"; git ls-files -o --exclude-standard; } | sort -u)
fi
mapfile -t own < <(comm -12 <(printf '%s\n' "${files[@]}" | sort -u) <(printf '%s\n' "${sources[@]}" | sort -u))
[ ${#own[@]} -eq 0 ] || clang-format --dry-run -Werror "${own[@]}"
mapfile -t units < <(printf '%s\n' "${own[@]}" | grep -E '^(src|tests|bench|examples)/.*\.(cc|cpp)$')
[ ${#units[@]} -gt 0 ] || { echo "lint: formatting is right; no changed source for clang-tidy"; exit 0; }
# A build folder's compile commands, with generated sources there.
scripts/build.sh release "$(nproc)" engine_schema
printf '%s\n' "${units[@]}" | xargs -P "$(nproc)" -n 1 clang-tidy --quiet -p build 2>/dev/null
echo "lint: formatting is right; clang-tidy found nothing in ${#units[@]} files"
