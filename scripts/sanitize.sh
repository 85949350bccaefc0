#!/bin/bash
# Builds test programs in a sanitizer preset and runs them; any report is a failure. The last line says what ran.
# usage: sanitize.sh PRESET JOBS TARGET[:GTEST_FILTER]...      e.g. sanitize.sh tsan 2 base_tests 'runtime_tests:-*Slow*'
# The engines that tests need are made by build/tenon where that is (TENON): sanitized compilers are slow.
set -euo pipefail
cd "$(dirname "$0")/.."
preset=$1 jobs=$2
shift 2
[ ! -x build/tenon ] || export TENON=${TENON:-$PWD/build/tenon}
export ASAN_OPTIONS=${ASAN_OPTIONS:-allocator_may_return_null=1} UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
export TSAN_OPTIONS=${TSAN_OPTIONS:-halt_on_error=0 second_deadlock_stack=1}
scripts/build.sh "$preset" "$jobs" "${@%%:*}"
status=0 ran=0
for entry in "$@"; do
  target=${entry%%:*} filter='*'
  [ "$entry" = "$target" ] || filter=${entry#*:}
  log=build-$preset/$target.log
  if "build-$preset/$target" --gtest_brief=1 "--gtest_filter=$filter" >"$log" 2>&1; then
    ran=$((ran + $(sed -n 's/.*PASSED.* \([0-9]\+\) tests\?\.$/\1/p' "$log")))
  else
    status=1
    tail -100 "$log"
    echo "$preset: $target FAILED (build-$preset/$target.log)"
  fi
done
echo "$preset: $ran tests passed in $#$([ $status -eq 0 ] || echo ', some programs FAILED')"
exit $status
