#!/bin/bash
# What `make install` leaves works after the tree is moved: the program runs, the library shows the C API and nothing else,
# and the examples build against it with pkg-config and with CMake and compute what `tenon run` does, to the byte.
# usage: install.sh BUILD_FOLDER
set -euo pipefail
build=$1 source=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export XDG_CACHE_HOME=$work
cmake --install "$build" --prefix "$work/first" >"$work/log"
mv "$work/first" "$work/moved tree"
prefix="$work/moved tree"
libdir=$(dirname "$(find "$prefix" -name 'libtenon.so.0')")
tenon=$prefix/bin/tenon

fail() { echo "FAILED: $*"; exit 1; }
# objdump says what a program would see.
objdump -p "$libdir/libtenon.so" >"$work/dynamic"
grep -q 'SONAME *libtenon.so.0$' "$work/dynamic" || fail "the soname: $(grep SONAME "$work/dynamic")"
grep -E 'RUNPATH|RPATH' "$work/dynamic" && fail "a path of the build machine in the library"
nm -D --defined-only "$libdir/libtenon.so" | awk '$2 != "A" {sub("@.*", "", $3); print $3}' | sort >"$work/exported"
grep -oE '^TENON_API [^(]*\(' "$source/include/tenon/tenon.h" | grep -oE 'tenon_[a-z_]+\(' | tr -d '(' | sort >"$work/declared"
[ "$(wc -l <"$work/declared")" -ge 15 ] || fail "the declarations of tenon.h were not found"
diff "$work/declared" "$work/exported" || fail "the library's symbols are not those of tenon.h"
if grep -rIl "$work/first\|$build" "$prefix"; then fail "paths of the build machine in the files above"; fi

"$tenon" export "$source/examples/forklift/forklift.onnx" --effort 0 -o "$work/forklift.tenon" --quiet
python3 - "$work" <<'PYTHON'
import struct, sys, random
work, shape = sys.argv[1], (1, 3, 320, 320)
random.seed(3)
data = struct.pack(f"<{3 * 320 * 320}f", *(random.random() for _ in range(3 * 320 * 320)))
open(f"{work}/input.raw", "wb").write(data)
header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
open(f"{work}/input.npy", "wb").write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + data)
PYTHON
"$tenon" run "$work/forklift.tenon" --inputs "images=$work/input.npy" --save-outputs "$work/outputs" --duration-s 0 \
  --iterations 1 --warmup-ms 0 --quiet >/dev/null
tail -c $((11 * 2100 * 4)) "$work/outputs/output0.npy" >"$work/expected.raw"

# usage: check_examples FOLDER: runs the two programs there
check_examples() {
  LD_LIBRARY_PATH=$libdir "$1/run_engine" "$work/forklift.tenon" "$work/input.raw" "$work/output.raw" >"$work/run_engine.txt"
  cmp "$work/output.raw" "$work/expected.raw" || fail "$1: other outputs than tenon run's"
  grep -q "^tenon $("$tenon" --version): fp32 on cpu, task detect$" "$work/run_engine.txt" || fail "$(cat "$work/run_engine.txt")"
  LD_LIBRARY_PATH=$libdir "$1/detect" "$work/forklift.tenon" "$work/input.raw" >"$work/detect.txt"
  grep -qx 'output0: 1x11x2100' "$work/detect.txt" || fail "$1/detect: $(cat "$work/detect.txt")"
  local status=0
  LD_LIBRARY_PATH=$libdir "$1/run_engine" "$work/none.tenon" 2>"$work/errors" || status=$?
  [ "$status" -eq 2 ] && grep -q 'none.tenon' "$work/errors" || fail "$1: status $status, $(cat "$work/errors")"
}

# pkg-config; its flags quote the blank in the path, so they go through the shell once more.
export PKG_CONFIG_PATH=$libdir/pkgconfig
mkdir "$work/by_pkg_config"
eval "cc -std=c99 -pedantic -Wall -Wextra -Werror $(pkg-config --cflags tenon) '$source/examples/c/run_engine.c' \
  -o '$work/by_pkg_config/run_engine' $(pkg-config --libs tenon)"
eval "c++ -std=c++20 -Wall -Wextra -Werror $(pkg-config --cflags tenon) '$source/examples/cpp/detect.cpp' \
  -o '$work/by_pkg_config/detect' $(pkg-config --libs tenon)"
check_examples "$work/by_pkg_config"
# The examples of docs/api.md: as they stand there.
awk '/^```c$/ {out = "api.c"} /^```cpp$/ {out = "api.cpp"} /^```$/ {out = ""} out && !/^```/ {print > dir "/" out}' dir="$work" "$source/docs/api.md"
eval "cc -std=c99 -pedantic -Wall -Wextra -Werror $(pkg-config --cflags tenon) '$work/api.c' -o '$work/api_c' $(pkg-config --libs tenon)"
eval "c++ -std=c++20 -Wall -Wextra -Werror $(pkg-config --cflags tenon) '$work/api.cpp' -o '$work/api_cpp' $(pkg-config --libs tenon)"
for program in api_c api_cpp; do
  LD_LIBRARY_PATH=$libdir "$work/$program" "$work/forklift.tenon" >"$work/$program.txt"
  grep -q '^output0: ' "$work/$program.txt" || fail "$program of docs/api.md: $(cat "$work/$program.txt")"
done
cmp "$work/api_c.txt" "$work/api_cpp.txt" || fail "the C and the C++ example of docs/api.md differ"
# Into a file: `ldd | grep -q` fails at times under pipefail, since grep closes the pipe at the first match.
objdump -p "$work/by_pkg_config/run_engine" >"$work/needed"
grep -q 'NEEDED *libtenon.so.0$' "$work/needed" || fail "the example doesn't use the shared library"

cp -r "$source/examples/CMakeLists.txt" "$source/examples/c" "$source/examples/cpp" "$work"
mkdir "$work/project" && mv "$work/CMakeLists.txt" "$work/c" "$work/cpp" "$work/project"
cmake -S "$work/project" -B "$work/by_cmake" -DCMAKE_PREFIX_PATH="$prefix" >"$work/log" 2>&1 || fail "$(cat "$work/log")"
cmake --build "$work/by_cmake" >"$work/log" 2>&1 || fail "$(cat "$work/log")"
check_examples "$work/by_cmake"
echo "installed: $(cd "$prefix" && find . -type f -o -type l | sort | tr '\n' ' ')"
