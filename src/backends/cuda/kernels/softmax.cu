// Softmax and its logarithm along rows, in FP32.
#include "rows.cuh"

namespace rows {
struct Args {
  const char* x;
  char* y;
};
}  // namespace rows

extern "C" __global__ void __launch_bounds__(rows::kThreads) softmax_kernel(const __grid_constant__ rows::Args args) {
  using namespace rows;
  const Place place;
  ptx::WaitForProducers();
  ptx::ReleaseConsumers();
  const char* row = args.x + InRow(place.row);
  float greatest = __uint_as_float(0xff800000u);
#pragma unroll 4
  for (uint32 i = place.part; i < kElems; i += kParts) greatest = fmaxf(greatest, LoadX(row + InElem(i)));
  greatest = Joined(greatest, place, [](float a, float b) { return fmaxf(a, b); });
  float sum = 0;
#pragma unroll 4
  for (uint32 i = place.part; i < kElems; i += kParts) sum += expf(LoadX(row + InElem(i)) - greatest);
  sum = Sum(sum, place);
  if (!place.valid) return;
  char* out = args.y + OutRow(place.row);
  const float shift = kIsLog ? logf(sum) : 0.f;
#pragma unroll 4
  for (uint32 i = place.part; i < kElems; i += kParts) {
    const float shifted = LoadX(row + InElem(i)) - greatest;
    StoreY(out + OutElem(i), kIsLog ? shifted - shift : expf(shifted) / sum);
  }
}
