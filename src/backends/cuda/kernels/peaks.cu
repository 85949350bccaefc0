// What a GPU reaches at best: independent chains in registers, copies. The generated text defines peaks::kWhat,
// kSteps and kWords.
#include "ptx.cuh"

struct Args {
  const char* from;
  char* to;
};

namespace peaks {

constexpr int kChains = 8;

/// Keeps what was computed from being left out.
DEVICE void Keep(char* to, float value) {
  if (value == 12345.678f) *reinterpret_cast<float*>(to) = value;
}

DEVICE void Multiply(char* to) {
  float sums[kChains] = {};
  const float a = 1.f + threadIdx.x * 1e-7f, b = 1e-3f;
  for (int step = 0; step < kSteps; ++step)
#pragma unroll
    for (int c = 0; c < kChains; ++c) sums[c] = __fmaf_rn(a, sums[c], b);
  float sum = 0;
  for (int c = 0; c < kChains; ++c) sum += sums[c];
  Keep(to, sum);
}

template <class Sum, class Step>
DEVICE void Matrices(char* to, Step step_of) {
  Sum sums[kChains][4] = {};
  const uint32 a[4] = {threadIdx.x, threadIdx.x * 3, threadIdx.x * 5, threadIdx.x * 7};
  for (int step = 0; step < kSteps; ++step)
#pragma unroll
    for (int c = 0; c < kChains; ++c) step_of(sums[c], a);
  float sum = 0;
  for (int c = 0; c < kChains; ++c)
    for (int i = 0; i < 4; ++i) sum += float(sums[c][i]);
  Keep(to, sum);
}

DEVICE void Copy(const char* from, char* to) {
  const uint4* source = reinterpret_cast<const uint4*>(from);
  uint4* target = reinterpret_cast<uint4*>(to);
  const int64 threads = int64(gridDim.x) * blockDim.x;
  for (int64 i = int64(blockIdx.x) * blockDim.x + threadIdx.x; i < kWords; i += threads) target[i] = source[i];
}

}  // namespace peaks

extern "C" __global__ void __launch_bounds__(256) peaks_kernel(const __grid_constant__ Args args) {
  using namespace peaks;
  ptx::WaitForProducers();
  ptx::ReleaseConsumers();
  if constexpr (kWhat == 0) Multiply(args.to);
  if constexpr (kWhat == 1)
    Matrices<float>(args.to, [](float(&sums)[4], const uint32(&a)[4]) { ptx::MmaF16(sums, a, a[0], a[1]); });
  if constexpr (kWhat == 2)
    Matrices<int>(args.to, [](int(&sums)[4], const uint32(&a)[4]) { ptx::MmaU8S8(sums, a, a[0], a[1]); });
  if constexpr (kWhat == 3) Copy(args.from, args.to);
}
