// The kK greatest (least) elements of a row, in order: one block a row. Every element becomes a key of 32 bits in the
// order of the op; four rounds of a histogram over 8 bits each find the key of the last one that is taken, a scan in the
// order of the indices collects the greater ones and as many equal ones as are missing, a bitonic sort puts the result
// into order. Equal elements: the lower index first.
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
  uint32 warps[2][kWarps];
  uint32 digit, left;
  uint64 taken[kSorted];
};

/// Counts the digits at `shift` of the keys whose higher bits are those of `prefix`.
DEVICE void Count(Shared& shared, const char* row, uint32 prefix, int shift) {
  if (threadIdx.x < 256) shared.histogram[threadIdx.x] = 0;
  __syncthreads();
  constexpr uint32 kNone = 256;
  for (uint32 first = 0; first < kElems; first += kThreads) {
    const uint32 i = first + threadIdx.x;
    uint32 digit = kNone;
    if (i < kElems) {
      const uint32 key = LoadKey(row, i);
      if (shift == 24 || key >> (shift + 8) == prefix) digit = key >> shift & 255u;
    }
    // Scores share their leading digits: one addition for all lanes that have the same.
    const uint32 peers = __match_any_sync(0xffffffffu, digit);
    if (digit != kNone && (threadIdx.x & 31) == __ffs(peers) - 1) atomicAdd(&shared.histogram[digit], __popc(peers));
  }
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

/// Greater keys, then `equal` of those that are `threshold`, both in the order of their indices.
DEVICE void Collect(Shared& shared, const char* row, uint32 threshold, uint32 equal) {
  uint32 greater_until = 0, equal_until = 0;
  for (uint32 first = 0; first < kElems; first += kThreads) {
    const uint32 i = first + threadIdx.x;
    const uint32 key = i < kElems ? LoadKey(row, i) : 0;
    const bool is_greater = i < kElems && key > threshold, is_equal = i < kElems && key == threshold;
    uint32 greater, same;
    const uint32 greater_rank = greater_until + RankOf(is_greater, shared.warps[0], greater);
    const uint32 equal_rank = equal_until + RankOf(is_equal, shared.warps[1], same);
    const uint64 entry = uint64(key) << 32 | ~i;  // the lower index is the greater entry
    if (is_greater) shared.taken[greater_rank] = entry;
    if (is_equal && equal_rank < equal) shared.taken[kK - equal + equal_rank] = entry;
    greater_until += greater;
    equal_until += same;
    __syncthreads();
  }
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
  ptx::WaitForProducers();
  ptx::ReleaseConsumers();
  const char* row = args.x + InRow(blockIdx.x);
  uint32 prefix = 0, left = kK;
  for (int shift = 24; shift >= 0; shift -= 8) {
    Count(shared, row, prefix, shift);
    prefix = prefix << 8 | ChooseDigit(shared, left);
  }
  Collect(shared, row, prefix, left);
  Sort(shared.taken);
  for (int i = threadIdx.x; i < kK; i += kThreads) {
    const uint32 index = ~uint32(shared.taken[i]);
    if (args.values != nullptr) StoreY(args.values + ValueRow(blockIdx.x) + ValueElem(i), LoadX(row + InElem(index)));
    if (args.indices != nullptr) region::StoreI64(args.indices + IndexRow(blockIdx.x) + IndexElem(i), index);
  }
}
