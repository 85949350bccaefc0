// Resize along the axes of `problem::Axis<i>` by tables of taps, sums in FP32: a thread takes kChannels neighbouring
// channels of one output position. Taps that weigh nothing are not read.
#include "elements.cuh"

struct Tap {
  int index;
  float weight;
};

namespace resize {
using namespace problem;

struct Args {
  const char* x;
  const char* taps;
  char* y;
};

DEVICE void Load(float (&v)[8], const char* from) { LoadEight<kIn>(v, from); }
DEVICE void Load(float (&v)[1], const char* from) { v[0] = LoadElement<kIn>(from); }
DEVICE void Store(char* to, const float (&v)[8]) { PackedEight<kOut>(v).StoreIf(true, to); }
DEVICE void Store(char* to, const float (&v)[1]) { StoreElement<kOut>(to, v[0]); }

template <int kAxis>
DEVICE void AddTaps(float (&sum)[kChannels], const char* x, const char* taps, uint32 i, float weight) {
  if constexpr (kAxis == kAxes) {
    float v[kChannels];
    Load(v, x);
#pragma unroll
    for (int c = 0; c < kChannels; ++c) sum[c] = kIsCopy ? v[c] : __fmaf_rn(v[c], weight, sum[c]);
  } else {
    using A = Axis<kAxis>;
    const Tap* table = reinterpret_cast<const Tap*>(taps + A::kTable) + A::Index(i) * A::kCount;
#pragma unroll(A::kCount <= 4 ? A::kCount : 1)
    for (int t = 0; t < A::kCount; ++t) {
      const Tap tap = table[t];
      if (!kIsCopy && tap.weight == 0.f) continue;
      AddTaps<kAxis + 1>(sum, x + tap.index * A::kStride, taps, i, weight * tap.weight);
    }
  }
}

}  // namespace resize

extern "C" __global__ void __launch_bounds__(128) resize_kernel(const __grid_constant__ resize::Args args) {
  using namespace resize;
  const uint32 i = blockIdx.x * 128 + threadIdx.x;
  ptx::WaitForProducers();
  ptx::ReleaseConsumers();
  if (i >= kElems) return;
  float sum[kChannels] = {};
  AddTaps<0>(sum, args.x + XOffset(i), args.taps, i, 1.f);
  Store(args.y + OutOffset(i), sum);
}
