// Attention, kRows queries a block: all their scores in shared memory, softmax, then the sums over the values. Products
// of operands rounded to the compute type, in FP32.
#include "attention.cuh"

namespace attention {

constexpr int kThreads = 128;

template <Type kType>
DEVICE float Rounded(float v) {
  if constexpr (kType == Type::kFloat32) return v;
  return UnpackHalves<kType == Type::kFloat32 ? Type::kFloat16 : kType>(ElementBits<kType>(v)).x;
}
template <class Matrix>
DEVICE float Operand(const char* base, int row, int column) {
  return Rounded<kCompute>(LoadElement<Matrix::kType>(base + row * Matrix::kRow + column * Matrix::kColumn));
}

/// Scores become exp(score - greatest); the inverse of their sum goes behind them.
DEVICE void SoftmaxRow(float* scores, float* inverse) {
  const int lane = threadIdx.x % 32;
  float greatest = NegativeInfinity();
  for (int l = lane; l < kL; l += 32) greatest = fmaxf(greatest, scores[l]);
#pragma unroll
  for (int mask = 16; mask > 0; mask /= 2) greatest = fmaxf(greatest, ptx::ShuffleXor(greatest, mask));
  float sum = 0;
  for (int l = lane; l < kL; l += 32) {
    scores[l] = expf(scores[l] - greatest);
    sum += scores[l];
  }
#pragma unroll
  for (int mask = 16; mask > 0; mask /= 2) sum += ptx::ShuffleXor(sum, mask);
  if (lane == 0) *inverse = 1.f / sum;
}

}  // namespace attention

extern "C" __global__ void __launch_bounds__(attention::kThreads)
    attention_kernel(const __grid_constant__ attention::Args args) {
  using namespace attention;
  extern __shared__ float shared_memory[];
  float *queries = shared_memory, *scores = queries + kRows * kD, *inverses = scores + kRows * kL;
  const int first = blockIdx.x * kRows, rows = min(kRows, kM - first);
  ptx::WaitForProducers();
  ptx::ReleaseConsumers();
  const char *q = args.q + QBatch(blockIdx.y), *k = args.k + KBatch(blockIdx.y), *v = args.v + VBatch(blockIdx.y);
  for (int i = threadIdx.x; i < kRows * kD; i += kThreads)
    queries[i] = i / kD < rows ? Operand<Q>(q, first + i / kD, i % kD) : 0.f;
  __syncthreads();
  for (int l = threadIdx.x; l < kL; l += kThreads) {
    float sums[kRows] = {};
    for (int d = 0; d < kD; ++d) {
      const float key = Operand<K>(k, d, l);
#pragma unroll
      for (int r = 0; r < kRows; ++r) sums[r] = __fmaf_rn(queries[r * kD + d], key, sums[r]);
    }
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      float score = sums[r] * kScale;
      if (kHasMask && r < rows)
        score += LoadElement<Mask::kType>(args.mask + MaskBatch(blockIdx.y) + (first + r) * Mask::kRow + l * Mask::kColumn);
      scores[r * kL + l] = score;
    }
  }
  __syncthreads();
  const int warp = threadIdx.x / 32;
  if (warp < kRows) SoftmaxRow(scores + warp * kL, inverses + warp);
  __syncthreads();
  for (int i = threadIdx.x; i < rows * kE; i += kThreads) {
    const int r = i / kE, e = i % kE;
    float sum = 0;
#pragma unroll 8
    for (int l = 0; l < kL; ++l) sum = __fmaf_rn(scores[r * kL + l], Operand<V>(v, l, e), sum);
    StoreElement<Out::kType>(args.out + OutBatch(blockIdx.y) + (first + r) * Out::kRow + e * Out::kColumn, sum * inverses[r]);
  }
}
