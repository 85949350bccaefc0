// Attention by matrix instructions: a block has 16 queries, its warps share their keys, kKeys at a time: warp w takes
// tiles w, w + kWarps, ... with a softmax of its own (the greatest score so far, sums relative to it), and what the warps
// have is joined in their order. Probabilities are rounded to the compute type for their product with the values; sums
// are FP32.
#include "attention.cuh"

namespace attention {

constexpr int kQueries = 16, kThreads = 32 * kWarps;
constexpr int kPitchK = kD + 8, kPitchV = kE + 8;  ///< elements; rows of eight chunks lie in all banks
constexpr int kTiles = (kL + kKeys - 1) / kKeys;
constexpr int kSteps = kD / 16, kKeyTiles = kKeys / 8, kValueTiles = kE / 8;
constexpr float kScaleLog2 = kScale * kLog2E;

template <Type kType>
DEVICE void Mma(float (&c)[4], const uint32 (&a)[4], uint32 b0, uint32 b1) {
  if constexpr (kType == Type::kBFloat16)
    ptx::MmaBF16(c, a, b0, b1);
  else
    ptx::MmaF16(c, a, b0, b1);
}

/// Rows of `kLength` elements of keys first, first + 1, ... to shared memory; rows beyond the last key are zeros.
template <class Matrix, int kLength, int kPitch, int64 kRowStride, int64 kElementStride, bool kVectors>
DEVICE void LoadRows(uint16* to, const char* from, int first, int lane) {
  if constexpr (kVectors) {
    constexpr int kChunks = kLength / 8;
#pragma unroll
    for (int i = lane; i < kKeys * kChunks; i += 32) {
      const int row = i / kChunks, column = i % kChunks * 8;
      const bool inside = first + row < kL;
      ptx::CopyAsync<16>(ptx::SharedAddress(to + row * kPitch + column),
                         inside ? from + (first + row) * kRowStride + column * 2 : from, inside ? 16 : 0);
    }
  } else {
    for (int i = lane; i < kKeys * kLength; i += 32) {
      const int row = i / kLength, column = i % kLength;
      float v = 0.f;
      if (first + row < kL) v = LoadElement<Matrix::kType>(from + (first + row) * kRowStride + column * kElementStride);
      to[row * kPitch + column] = uint16(ElementBits<kCompute>(v));
    }
  }
}

/// Two neighbours of a query as a fragment has them; zeros beyond the last query.
DEVICE uint32 QueryPair(const char* q, int row, int d) {
  if (row >= kM) return 0;
  const char* at = q + row * Q::kRow + d * Q::kColumn;
  return PackHalves<kCompute>(LoadElement<Q::kType>(at), LoadElement<Q::kType>(at + Q::kColumn));
}

/// What a warp knows of its two rows of queries (lane / 4 and that + 8) after some keys.
struct Partial {
  float greatest[2], sum[2];        ///< sums of this lane's keys
  float values[kValueTiles][4] = {};

  DEVICE Partial() {
#pragma unroll
    for (int h = 0; h < 2; ++h) greatest[h] = NegativeInfinity(), sum[h] = 0.f;
  }

  /// Scores (times log2 e) become probabilities relative to the greatest score so far.
  DEVICE void TakeScores(float (&scores)[kKeyTiles][4]) {
#pragma unroll
    for (int h = 0; h < 2; ++h) {
      float most = greatest[h];
#pragma unroll
      for (int t = 0; t < kKeyTiles; ++t) most = fmaxf(most, fmaxf(scores[t][2 * h], scores[t][2 * h + 1]));
      most = fmaxf(most, ptx::ShuffleXor(most, 1));
      most = fmaxf(most, ptx::ShuffleXor(most, 2));
      const float shift = most == NegativeInfinity() ? 0.f : most;
      const float shrink = ptx::Exp2(greatest[h] - shift);
      greatest[h] = most;
      sum[h] *= shrink;
#pragma unroll
      for (int t = 0; t < kValueTiles; ++t) values[t][2 * h] *= shrink, values[t][2 * h + 1] *= shrink;
#pragma unroll
      for (int t = 0; t < kKeyTiles; ++t)
#pragma unroll
        for (int e = 2 * h; e < 2 * h + 2; ++e) {
          scores[t][e] = ptx::Exp2(scores[t][e] - shift);
          sum[h] += scores[t][e];
        }
    }
  }
};

DEVICE void Score(float (&scores)[kKeyTiles][4], const uint32 (&queries)[kSteps][4], uint32 keys, int lane) {
#pragma unroll
  for (int t = 0; t < kKeyTiles; t += 2)
#pragma unroll
    for (int s = 0; s < kSteps; ++s) {
      uint32 b[4];
      const int row = 8 * t + (lane & 7) + ((lane >> 4) << 3), column = 16 * s + ((lane >> 3) & 1) * 8;
      ptx::LoadMatrices(b, keys + (row * kPitchK + column) * 2);
      Mma<kCompute>(scores[t], queries[s], b[0], b[1]);
      Mma<kCompute>(scores[t + 1], queries[s], b[2], b[3]);
    }
}

DEVICE void AddValues(Partial& partial, const float (&p)[kKeyTiles][4], uint32 values, int lane) {
#pragma unroll
  for (int t = 0; t < kKeyTiles; t += 2) {
    const uint32 a[4] = {PackHalves<kCompute>(p[t][0], p[t][1]), PackHalves<kCompute>(p[t][2], p[t][3]),
                         PackHalves<kCompute>(p[t + 1][0], p[t + 1][1]), PackHalves<kCompute>(p[t + 1][2], p[t + 1][3])};
#pragma unroll
    for (int v = 0; v < kValueTiles; v += 2) {
      uint32 b[4];
      const int row = 8 * t + (lane & 15), column = 8 * v + ((lane >> 4) << 3);
      ptx::LoadMatricesTransposed(b, values + (row * kPitchV + column) * 2);
      Mma<kCompute>(partial.values[v], a, b[0], b[1]);
      Mma<kCompute>(partial.values[v + 1], a, b[2], b[3]);
    }
  }
}

/// Partial results of all warps: [warp][query] greatest scores, sums, then [warp][query][kE] values.
DEVICE void Stage(float* shared, Partial& partial, int warp, int lane) {
#pragma unroll
  for (int h = 0; h < 2; ++h) {
    float sum = partial.sum[h];
    sum += ptx::ShuffleXor(sum, 1);
    sum += ptx::ShuffleXor(sum, 2);
    const int place = warp * kQueries + lane / 4 + 8 * h;
    shared[place] = partial.greatest[h];
    shared[kWarps * kQueries + place] = sum;
    float* values = shared + (2 * kWarps * kQueries + place * kE);
#pragma unroll
    for (int v = 0; v < kValueTiles; ++v)
#pragma unroll
      for (int e = 0; e < 2; ++e) values[8 * v + lane % 4 * 2 + e] = partial.values[v][2 * h + e];
  }
}

DEVICE float Join(const float* shared, int query, int column) {
  float greatest = NegativeInfinity();
#pragma unroll
  for (int w = 0; w < kWarps; ++w) greatest = fmaxf(greatest, shared[w * kQueries + query]);
  const float shift = greatest == NegativeInfinity() ? 0.f : greatest;
  float sum = 0.f, value = 0.f;
#pragma unroll
  for (int w = 0; w < kWarps; ++w) {
    const int place = w * kQueries + query;
    const float weight = ptx::Exp2(shared[place] - shift);
    sum += weight * shared[kWarps * kQueries + place];
    value += weight * shared[2 * kWarps * kQueries + place * kE + column];
  }
  return value / sum;
}

}  // namespace attention

extern "C" __global__ void __launch_bounds__(attention::kThreads) attention_mma(const __grid_constant__ attention::Args args) {
  using namespace attention;
  extern __shared__ uint4 shared_memory[];
  const int warp = threadIdx.x / 32, lane = threadIdx.x % 32, first_query = blockIdx.x * kQueries;
  uint16* keys = reinterpret_cast<uint16*>(shared_memory) + warp * kKeys * (kPitchK + kPitchV);
  uint16* values = keys + kKeys * kPitchK;
  ptx::WaitForProducers();
  ptx::ReleaseConsumers();
  const char *q = args.q + QBatch(blockIdx.y), *k = args.k + KBatch(blockIdx.y), *v = args.v + VBatch(blockIdx.y);
  const auto load = [&](int tile) {
    LoadRows<K, kD, kPitchK, K::kColumn, K::kRow, kVectorK>(keys, k, tile * kKeys, lane);
    LoadRows<V, kE, kPitchV, V::kRow, V::kColumn, kVectorV>(values, v, tile * kKeys, lane);
    ptx::CommitCopies();
  };
  load(warp);
  uint32 queries[kSteps][4];
#pragma unroll
  for (int s = 0; s < kSteps; ++s)
#pragma unroll
    for (int i = 0; i < 4; ++i)
      queries[s][i] = QueryPair(q, first_query + lane / 4 + (i & 1) * 8, 16 * s + lane % 4 * 2 + (i >> 1) * 8);

  Partial partial;
  for (int tile = warp; tile < kTiles; tile += kWarps) {
    const int first = tile * kKeys;
    ptx::WaitCopies<0>();
    __syncwarp();
    float scores[kKeyTiles][4] = {};
    Score(scores, queries, ptx::SharedAddress(keys), lane);
#pragma unroll
    for (int t = 0; t < kKeyTiles; ++t)
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        const bool inside = first + 8 * t + lane % 4 * 2 + (e & 1) < kL;
        scores[t][e] = inside ? scores[t][e] * kScaleLog2 : NegativeInfinity();
      }
    partial.TakeScores(scores);
    AddValues(partial, scores, ptx::SharedAddress(values), lane);
    __syncwarp();
    if (tile + kWarps < kTiles) load(tile + kWarps);
  }
  ptx::WaitCopies<0>();  // of a warp without a tile
  __syncthreads();
  float* shared = reinterpret_cast<float*>(shared_memory);
  Stage(shared, partial, warp, lane);
  __syncthreads();
  for (int i = threadIdx.x; i < kQueries * kE; i += kThreads) {
    const int query = first_query + i / kE;
    if (query >= kM) break;
    StoreElement<Out::kType>(args.out + OutBatch(blockIdx.y) + query * Out::kRow + i % kE * Out::kColumn,
                             Join(shared, i / kE, i % kE));
  }
}
