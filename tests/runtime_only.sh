#!/bin/bash
# libtenon.so, and so every program that only runs engines, must hold no code of the compiler, and need no library of it.
# usage: runtime_only.sh LIBRARY
set -euo pipefail
symbols=$(nm -C "$1")
# Something that must be there, so that a stripped library doesn't pass.
grep -q 'tenon::ReadEngine' <<<"$symbols" || { echo "no symbols in $1"; exit 1; }
if grep -E 'tenon::(ImportOnnx|RunPasses|MakePassList|CompileFor|PlanViews|ChooseTactics)|onnx::ModelProto' <<<"$symbols"; then
  echo "$1 holds code of the compiler"
  exit 1
fi
if ldd "$1" | grep -E 'protobuf|onnx|opencv|yaml|libjpeg|libpng|libwebp'; then
  echo "$1 needs libraries that only the compiler or the command line use"
  exit 1
fi
