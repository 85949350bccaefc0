// Matrix products of any operands: tiles of 64 x 64 results, 16 of K at a time, in FP32 multiply-adds of operands
// rounded to the compute type. A sum runs over K in order.
#include "activation.cuh"
#include "elements.cuh"

namespace matmul {
using namespace problem;

struct Args {
  const char* a;
  const char* b;
  const char* bias;
  const char* residual;
  char* c;
};

constexpr int kTile = 64, kStep = 16, kThreads = 256, kEach = kTile * kStep / kThreads;
constexpr int kPitch = kTile + 4;

template <Type kType>
DEVICE float Rounded(float v) {
  if constexpr (kType == Type::kFloat32) return v;
  return UnpackHalves<kType == Type::kFloat32 ? Type::kFloat16 : kType>(ElementBits<kType>(v)).x;
}

/// A tile of kStep of K by kTile rows of A (columns of B) in registers; neighbouring threads take neighbours in memory.
template <Type kType, int64 kOuterStride, int64 kKStride, int kOuter>
struct Tile {
  static constexpr bool kAlongK = kKStride == SizeOf(kType);
  float values[kEach];

  DEVICE static int OuterOf(int i) {
    const int item = threadIdx.x + i * kThreads;
    return kAlongK ? item / kStep : item % kTile;
  }
  DEVICE static int KOf(int i) {
    const int item = threadIdx.x + i * kThreads;
    return kAlongK ? item % kStep : item / kTile;
  }
  DEVICE void Load(const char* from, int first, int first_k) {
#pragma unroll
    for (int i = 0; i < kEach; ++i) {
      const int outer = first + OuterOf(i), k = first_k + KOf(i);
      values[i] = outer < kOuter && k < kK ? LoadElement<kType>(from + outer * kOuterStride + k * kKStride) : 0.f;
    }
  }
  DEVICE void Store(float (&to)[kStep][kPitch]) const {
#pragma unroll
    for (int i = 0; i < kEach; ++i) to[KOf(i)][OuterOf(i)] = Rounded<kCompute>(values[i]);
  }
};

DEVICE void Finish(const Args& args, int row, int column, float sum) {
  if (row >= kM || column >= kN) return;
  if constexpr (kHasBias) sum += LoadElement<kBias>(args.bias + column * kBiasStep);
  float v = Activate<kActivation>(sum, kAlpha, kBeta);
  if constexpr (kHasResidual)
    v += LoadElement<R::kType>(args.residual + RBatch(blockIdx.z) + row * R::kRow + column * R::kColumn);
  v = Activate<kPost>(v, 0.f, 0.f);
  if constexpr (C::kType == Type::kUInt8) v = rintf(v * kOutInverse) + kOutZero;
  StoreElement<C::kType>(args.c + CBatch(blockIdx.z) + row * C::kRow + column * C::kColumn, v);
}

}  // namespace matmul

extern "C" __global__ void __launch_bounds__(matmul::kThreads) matmul_kernel(const __grid_constant__ matmul::Args args) {
  using namespace matmul;
  alignas(16) __shared__ float a[kStep][kPitch], b[kStep][kPitch];
  ptx::WaitForProducers();
  ptx::ReleaseConsumers();
  const int first_row = blockIdx.y * kTile, first_column = blockIdx.x * kTile;
  const char* from_a = args.a + ABatch(blockIdx.z);
  const char* from_b = args.b + BBatch(blockIdx.z);
  const int row = threadIdx.x / 16 * 4, column = threadIdx.x % 16 * 4;
  Tile<A::kType, A::kRow, A::kColumn, kM> tile_a;
  Tile<B::kType, B::kColumn, B::kRow, kN> tile_b;
  tile_a.Load(from_a, first_row, 0);
  tile_b.Load(from_b, first_column, 0);
  float sums[4][4] = {};
  for (int k = 0; k < kK; k += kStep) {
    tile_a.Store(a);
    tile_b.Store(b);
    __syncthreads();
    tile_a.Load(from_a, first_row, k + kStep);
    tile_b.Load(from_b, first_column, k + kStep);
#pragma unroll
    for (int s = 0; s < kStep; ++s) {
      const float4 x = *reinterpret_cast<const float4*>(&a[s][row]), y = *reinterpret_cast<const float4*>(&b[s][column]);
      const float xs[4] = {x.x, x.y, x.z, x.w}, ys[4] = {y.x, y.y, y.z, y.w};
#pragma unroll
      for (int i = 0; i < 4; ++i)
#pragma unroll
        for (int j = 0; j < 4; ++j) sums[i][j] = __fmaf_rn(xs[i], ys[j], sums[i][j]);
    }
    __syncthreads();
  }
#pragma unroll
  for (int i = 0; i < 4; ++i)
#pragma unroll
    for (int j = 0; j < 4; ++j) Finish(args, first_row + row + i, first_column + column + j, sums[i][j]);
}
