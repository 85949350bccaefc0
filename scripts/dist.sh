#!/bin/bash
# Makes a relocatable folder with the program and the libraries that it needs beside glibc (2.36 up): bin/tenon, lib/, and
# with "gpu" the GPU test suite and its benches. It is what is copied to a device.
# usage: dist.sh FOLDER [gpu]
set -euo pipefail
cd "$(dirname "$0")/.."
folder=$1 gpu=${2:-}
rm -rf "$folder"
mkdir -p "$folder/bin" "$folder/lib"
programs=(tenon)
[ "$gpu" != gpu ] || programs+=(check_conv check_async check_images cuda_conv_bench property_tests)
for program in "${programs[@]}"; do
  install -m 755 -s "build/$program" "$folder/bin/"
  patchelf --set-rpath '$ORIGIN/../lib' "$folder/bin/$program"
done
# Everything that the loader finds but what comes with glibc itself: those must be the device's own.
ldd "${programs[@]/#/$folder/bin/}" | sed -n 's/.* => \(\/[^ ]*\) .*/\1/p' | sort -u |
  grep -vE '/(ld-linux[^/]*|lib(c|m|dl|rt|pthread|resolv|util))\.so' | while read -r library; do
  install -m 644 "$library" "$folder/lib/"
  strip --strip-unneeded "$folder/lib/$(basename "$library")" 2>/dev/null || true
  patchelf --set-rpath '$ORIGIN' "$folder/lib/$(basename "$library")"
done
[ "$gpu" != gpu ] || install -m 755 scripts/test_gpu.sh "$folder/"
echo "$folder: $(du -sm "$folder" | cut -f1) MB"
