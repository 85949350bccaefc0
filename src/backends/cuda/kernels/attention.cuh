#pragma once
// What the attention kernels share. The generated text before this file defines namespace `problem`: q is kM x kD,
// k is kD x kL, v is kL x kE, a mask kM x kL.
#include "elements.cuh"

namespace attention {
using namespace problem;

struct Args {
  const char* q;
  const char* k;
  const char* v;
  const char* mask;
  char* out;
};

constexpr float kLog2E = 1.4426950408889634f;

DEVICE float NegativeInfinity() { return __uint_as_float(0xff800000u); }

}  // namespace attention
