// Rows normalised to mean 0 and variance 1, then scaled and shifted: LayerNorm, GroupNorm. FP32, the variance in a pass
// of its own, so that nothing cancels.
#include "rows.cuh"

namespace rows {
struct Args {
  const char* x;
  const char* scale;
  const char* bias;  ///< null: none
  char* y;
  char* mean;     ///< null: not asked for
  char* inverse;  ///< of the standard deviation; null: not asked for
};
}  // namespace rows

extern "C" __global__ void __launch_bounds__(rows::kThreads) norm_kernel(const __grid_constant__ rows::Args args) {
  using namespace rows;
  const Place place;
  ptx::WaitForProducers();
  ptx::ReleaseConsumers();
  const char* row = args.x + InRow(place.row);
  float sum = 0;
#pragma unroll 4
  for (uint32 i = place.part; i < kElems; i += kParts) sum += LoadX(row + InElem(i));
  const float mean = Sum(sum, place) / float(kElems);
  float squares = 0;
#pragma unroll 4
  for (uint32 i = place.part; i < kElems; i += kParts) {
    const float centred = LoadX(row + InElem(i)) - mean;
    squares += centred * centred;
  }
  const float inverse = 1.f / sqrtf(Sum(squares, place) / float(kElems) + Epsilon());
  if (!place.valid) return;
  if (place.part == 0 && args.mean != nullptr) region::StoreF32(args.mean + MeanRow(place.row), mean);
  if (place.part == 0 && args.inverse != nullptr) region::StoreF32(args.inverse + InverseRow(place.row), inverse);
  const char* scale = args.scale + ScaleRow(place.row);
  const char* bias = args.bias == nullptr ? nullptr : args.bias + BiasRow(place.row);
  char* out = args.y + OutRow(place.row);
#pragma unroll 4
  for (uint32 i = place.part; i < kElems; i += kParts) {
    const float normal = (LoadX(row + InElem(i)) - mean) * inverse * LoadScale(scale + ScaleElem(i));
    StoreY(out + OutElem(i), bias == nullptr ? normal : normal + LoadBias(bias + BiasElem(i)));
  }
}
