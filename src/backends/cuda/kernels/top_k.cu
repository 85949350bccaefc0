// The kK greatest (least) elements of a row, in order: one block a row. Every element becomes a key of 32 bits in the
// order of the op; four rounds of a histogram over 8 bits each find the key of the last one that is taken, then the greater
// ones are collected and as many equal ones as are missing, and a bitonic sort puts the result into order. Equal elements:
// the lower index first. Keys of a row that is short enough stay in registers: then memory is waited for once.
#include "region.cuh"

namespace top_k {
using namespace problem;

constexpr int kThreads = 512, kWarps = kThreads / 32;

struct Args {
  const char* x;
  char* values;   ///< null: not asked for
  char* indices;  ///< null: not asked for
};

DEVICE uint32 KeyOf(float v) {
  if (isnan(v)) return 0xffffffffu;  // the greatest
  const uint32 bits = v == 0.f ? 0u : __float_as_uint(v);
  return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}
DEVICE uint32 KeyOf(int64 v) { return uint32(v) ^ 0x80000000u; }
DEVICE uint32 LoadKey(const char* row, uint32 i) {
  const uint32 key = KeyOf(LoadX(row + InElem(i)));
  return kLargest ? key : ~key;
}

struct Shared {
  uint32 histogram[256], sums[256];
  uint32 warps[kWarps];
  uint32 digit, left, equal;  ///< chosen; of the keys with it, how many are wanted, how many there are
  uint32 places;              ///< taken
  uint64 taken[kSorted];
};

constexpr int kEach = (kElems + kThreads - 1) / kThreads;  ///< elements of a thread
constexpr bool kHolds = kEach <= 48;
constexpr int kBatch = 8;  ///< elements that are loaded at once where they are not held

/// This thread's elements: threadIdx.x, + kThreads, ... All threads call ForEach, and each calls f(index, key) equally
/// often, beyond the last element too.
class Keys {
 public:
  DEVICE explicit Keys(const char* row) : row_(row) {
    if constexpr (kHolds) Load(held_, 0);
  }

  template <class F>
  DEVICE void ForEach(F f) const {
    if constexpr (kHolds) {
      Visit(held_, 0, f);
    } else {
      for (int first = 0; first < kEach; first += kBatch) {
        uint32 batch[kBatch];
        Load(batch, first);
        Visit(batch, first, f);
      }
    }
  }

 private:
  template <int kCount>
  DEVICE void Load(uint32 (&keys)[kCount], int first) const {
#pragma unroll
    for (int j = 0; j < kCount; ++j) {
      const uint32 i = (first + j) * kThreads + threadIdx.x;
      keys[j] = i < kElems ? LoadKey(row_, i) : 0;
    }
  }
  template <int kCount, class F>
  DEVICE static void Visit(const uint32 (&keys)[kCount], int first, F f) {
#pragma unroll
    for (int j = 0; j < kCount; ++j) f((first + j) * kThreads + threadIdx.x, keys[j]);
  }

  const char* row_;
  uint32 held_[kHolds ? kEach : 1];
};

/// Counts the digits at `shift` of the keys whose higher bits are those of `prefix`.
DEVICE void Count(Shared& shared, const Keys& keys, uint32 prefix, int shift) {
  if (threadIdx.x < 256) shared.histogram[threadIdx.x] = 0;
  __syncthreads();
  constexpr uint32 kNone = 256;
  keys.ForEach([&](uint32 i, uint32 key) {
    const bool counts = i < kElems && (shift == 24 || key >> (shift + 8) == prefix);
    const uint32 digit = counts ? key >> shift & 255u : kNone;
    // Scores share their leading digits: one addition for all lanes that have the same.
    const uint32 peers = __match_any_sync(0xffffffffu, digit);
    if (counts && (threadIdx.x & 31) == __ffs(peers) - 1) atomicAdd(&shared.histogram[digit], __popc(peers));
  });
  __syncthreads();
}

/// The greatest digit such that at least `left` of the counted keys have it or a greater one; `left` becomes how many of
/// those with this very digit are wanted.
DEVICE uint32 ChooseDigit(Shared& shared, uint32& left) {
  const uint32 digit = threadIdx.x;
  uint32 sum = digit < 256 ? shared.histogram[digit] : 0;
#pragma unroll
  for (int step = 1; step < 256; step *= 2) {
    if (digit < 256) shared.sums[digit] = sum;
    __syncthreads();
    if (digit + step < 256) sum += shared.sums[digit + step];
    __syncthreads();
  }
  const uint32 own = digit < 256 ? shared.histogram[digit] : 0;
  if (digit < 256 && sum >= left && sum - own < left) {
    shared.digit = digit;
    shared.left = left - (sum - own);
    shared.equal = own;
  }
  __syncthreads();
  left = shared.left;
  const uint32 chosen = shared.digit;
  __syncthreads();
  return chosen;
}

/// How many threads before this one have the flag; `total`: of the block.
DEVICE uint32 RankOf(bool flag, uint32* warps, uint32& total) {
  const uint32 votes = __ballot_sync(0xffffffffu, flag), lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
  if (lane == 0) warps[warp] = __popc(votes);
  __syncthreads();
  uint32 before = 0;
  total = 0;
#pragma unroll
  for (int w = 0; w < kWarps; ++w) {
    const uint32 count = warps[w];
    before += w < warp ? count : 0;
    total += count;
  }
  return before + __popc(votes & ((1u << lane) - 1u));
}

DEVICE uint64 Entry(uint32 key, uint32 i) { return uint64(key) << 32 | ~i; }  ///< the lower index is the greater one

/// Every greater key, and where all equal ones are wanted those too, at any places: they are sorted later.
DEVICE void CollectAny(Shared& shared, const Keys& keys, uint32 threshold, bool takes_equal) {
  keys.ForEach([&](uint32 i, uint32 key) {
    if (i < kElems && (key > threshold || (takes_equal && key == threshold)))
      shared.taken[atomicAdd(&shared.places, 1u)] = Entry(key, i);
  });
}

/// The first `wanted` keys that are `threshold`, in the order of their indices, behind all others.
DEVICE void CollectEqual(Shared& shared, const Keys& keys, uint32 threshold, uint32 wanted) {
  uint32 before = 0;
  keys.ForEach([&](uint32 i, uint32 key) {
    const bool is_equal = i < kElems && key == threshold;
    uint32 total;
    const uint32 rank = before + RankOf(is_equal, shared.warps, total);
    if (is_equal && rank < wanted) shared.taken[kK - wanted + rank] = Entry(key, i);
    before += total;
    __syncthreads();
  });
}

/// Falling.
DEVICE void Sort(uint64* entries) {
  for (int size = 2; size <= kSorted; size *= 2)
    for (int step = size / 2; step > 0; step /= 2) {
      for (int pair = threadIdx.x; pair < kSorted / 2; pair += kThreads) {
        const int low = 2 * pair - (pair & (step - 1)), high = low + step;
        const uint64 a = entries[low], b = entries[high];
        if ((a < b) == ((low & size) == 0)) entries[low] = b, entries[high] = a;
      }
      __syncthreads();
    }
}

}  // namespace top_k

extern "C" __global__ void __launch_bounds__(top_k::kThreads) top_k_kernel(const __grid_constant__ top_k::Args args) {
  using namespace top_k;
  __shared__ Shared shared;
  for (int i = threadIdx.x; i < kSorted; i += kThreads) shared.taken[i] = 0;
  if (threadIdx.x == 0) shared.places = 0;
  ptx::WaitForProducers();
  ptx::ReleaseConsumers();
  const char* row = args.x + InRow(blockIdx.x);
  const Keys keys(row);
  uint32 threshold = 0, left = kK;
#pragma unroll 1
  for (int shift = 24; shift >= 0; shift -= 8) {
    Count(shared, keys, threshold, shift);
    threshold = threshold << 8 | ChooseDigit(shared, left);
  }
  const bool takes_all_equal = shared.equal == left;
  CollectAny(shared, keys, threshold, takes_all_equal);
  if (!takes_all_equal) CollectEqual(shared, keys, threshold, left);
  __syncthreads();
  Sort(shared.taken);
  for (int i = threadIdx.x; i < kK; i += kThreads) {
    const uint32 index = ~uint32(shared.taken[i]);
    if (args.values != nullptr) StoreY(args.values + ValueRow(blockIdx.x) + ValueElem(i), LoadX(row + InElem(index)));
    if (args.indices != nullptr) region::StoreI64(args.indices + IndexRow(blockIdx.x) + IndexElem(i), index);
  }
}
