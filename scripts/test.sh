#!/bin/bash
# Runs every test of a build folder; the last line is "N passed, N failed, N skipped". Exit status: ctest's.
# usage: test.sh BUILD_FOLDER JOBS [CTEST_ARGS...]
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$1 jobs=$2
shift 2
scripts/fetch_onnx_node_tests.sh >/dev/null
results=$PWD/$folder/test-results.xml
rm -f "$results"
status=0
# Without --progress and with only failures shown, ctest prints a line a test: 2,000 lines nobody reads.
ctest --test-dir "$folder" -j "$jobs" --output-on-failure --output-junit "$results" "$@" >"$folder/test.log" 2>&1 || status=$?
if [ "$status" -ne 0 ]; then
  grep -vE '^ *[0-9]+/[0-9]+ Test .*(Passed|Skipped)|^ +Start +[0-9]+:' "$folder/test.log" || true
else
  grep -A 2 -E 'tests passed|^Total Test time' "$folder/test.log" || tail -5 "$folder/test.log"
fi
[ -f "$results" ] || { echo "error: ctest wrote no results ($folder/test.log)" >&2; exit 1; }
python3 - "$results" <<'PYTHON'
import sys, xml.etree.ElementTree as xml
cases = xml.parse(sys.argv[1]).getroot().findall("testcase")
failed = sum(case.get("status") == "fail" for case in cases)
skipped = [case for case in cases if case.get("status") in ("notrun", "disabled")]
reasons = {}
for case in skipped:
    out = case.findtext("system-out") or ""
    lines = [line.strip() for line in out.splitlines() if line.strip() and not line.lstrip().startswith(("[", "Note", "Running", "Skipped"))]
    reason = next((line for line in lines if "_test.cc" not in line), "no reason given")
    reasons.setdefault(reason, []).append(case.get("name"))
for reason, names in sorted(reasons.items()):
    print(f"skipped {len(names)}: {reason} ({names[0]}{', ...' if len(names) > 1 else ''})")
print(f"{len(cases) - failed - len(skipped)} passed, {failed} failed, {len(skipped)} skipped")
PYTHON
exit "$status"
