// The kK greatest (least) elements of a row, in order: one block a row. Every element becomes an entry of 64 bits in the
// order of the op, its key above its index turned round, so that no two are equal and of equal elements the lower index
// comes first. Rounds of a histogram over 8 bits each, from the top, find the least entry that is taken; what is not less
// is collected in any order, and a bitonic sort puts it into its own. Keys stay in shared memory where they fit: the row
// is read once.
#include "region.cuh"

namespace top_k {
using namespace problem;

constexpr int kThreads = 1024;

struct Args {
  const char* x;
  char* values;   ///< null: not asked for
  char* indices;  ///< null: not asked for
};

struct Shared {
  uint32 histogram[256];
  uint32 digit, left, count;
  uint64 taken[kSorted];
};

DEVICE uint32 KeyOf(float v) {
  if (isnan(v)) return 0xffffffffu;  // the greatest
  const uint32 bits = v == 0.f ? 0u : __float_as_uint(v);
  return bits & 0x80000000u ? ~bits : bits | 0x80000000u;
}
DEVICE uint32 KeyOf(int64 v) { return uint32(v) ^ 0x80000000u; }

/// The keys of a row, in shared memory or made anew from the elements each time.
class Keys {
 public:
  /// All threads call it.
  DEVICE Keys(const char* row, uint32* shared) : row_(row), shared_(shared) {
    if constexpr (!kKeysInShared) return;
    constexpr uint32 kBatch = 8;  // loads under way at once
    for (uint32 first = threadIdx.x; first < kElems; first += kBatch * kThreads) {
      uint32 keys[kBatch];
#pragma unroll
      for (uint32 j = 0; j < kBatch; ++j)
        if (first + j * kThreads < kElems) keys[j] = KeyInMemory(first + j * kThreads);
#pragma unroll
      for (uint32 j = 0; j < kBatch; ++j)
        if (first + j * kThreads < kElems) shared_[first + j * kThreads] = keys[j];
    }
    __syncthreads();
  }

  DEVICE uint64 Entry(uint32 i) const {
    const uint32 key = kKeysInShared ? shared_[i] : KeyInMemory(i);
    return uint64(key) << 32 | ~i;
  }

 private:
  DEVICE uint32 KeyInMemory(uint32 i) const {
    const uint32 key = KeyOf(LoadX(row_ + InElem(i)));
    return kLargest ? key : ~key;
  }

  const char* row_;
  uint32* shared_;
};

/// Counts the digits at `shift` of the entries whose higher bits are those of `prefix`.
DEVICE void Count(Shared& shared, const Keys& keys, uint64 prefix, int shift) {
  if (threadIdx.x < 256) shared.histogram[threadIdx.x] = 0;
  __syncthreads();
  constexpr uint32 kNone = 256;
  for (uint32 first = 0; first < kElems; first += kThreads) {
    const uint32 i = first + threadIdx.x;
    uint32 digit = kNone;
    if (i < kElems) {
      const uint64 entry = keys.Entry(i);
      if (shift == 56 || entry >> (shift + 8) == prefix) digit = uint32(entry >> shift) & 255u;
    }
    if (shift == 56) {  // scores share their leading digits: one addition for all lanes that have the same
      const uint32 peers = __match_any_sync(0xffffffffu, digit);
      if (digit != kNone && (threadIdx.x & 31) == __ffs(peers) - 1) atomicAdd(&shared.histogram[digit], __popc(peers));
    } else if (digit != kNone) {
      atomicAdd(&shared.histogram[digit], 1u);
    }
  }
  __syncthreads();
}

/// The greatest digit such that at least `left` of the counted entries have it or a greater one; `left` becomes how many
/// of those with this very digit are wanted. @return whether that is all of them
DEVICE bool ChooseDigit(Shared& shared, uint32& digit, uint32& left) {
  if (threadIdx.x < 32) {  // a lane has eight digits, lane 0 the greatest
    const uint32 lane = threadIdx.x;
    uint32 counts[8], sum = 0;
#pragma unroll
    for (uint32 j = 0; j < 8; ++j) sum += counts[j] = shared.histogram[255 - 8 * lane - j];
    uint32 until = sum;
#pragma unroll
    for (int step = 1; step < 32; step *= 2) {
      const uint32 got = __shfl_up_sync(0xffffffffu, until, step);
      if (lane >= step) until += got;
    }
    uint32 before = until - sum;
#pragma unroll
    for (uint32 j = 0; j < 8; ++j) {
      if (before < left && before + counts[j] >= left) {
        shared.digit = 255 - 8 * lane - j;
        shared.left = left - before;
        shared.count = counts[j];
      }
      before += counts[j];
    }
  }
  __syncthreads();
  digit = shared.digit;
  left = shared.left;
  const bool is_all = shared.count == left;
  __syncthreads();
  return is_all;
}

/// The least entry that is taken.
DEVICE uint64 Threshold(Shared& shared, const Keys& keys) {
  uint64 prefix = 0;
  uint32 left = kK;
  for (int shift = 56;; shift -= 8) {
    Count(shared, keys, prefix, shift);
    uint32 digit;
    const bool is_all = ChooseDigit(shared, digit, left);
    prefix = prefix << 8 | digit;
    if (is_all) return prefix << shift;  // at the latest when an entry is known whole
  }
}

DEVICE void Collect(Shared& shared, const Keys& keys, uint64 threshold) {
  for (int i = threadIdx.x; i < kSorted; i += kThreads) shared.taken[i] = 0;
  if (threadIdx.x == 0) shared.count = 0;
  __syncthreads();
  for (uint32 i = threadIdx.x; i < kElems; i += kThreads) {
    const uint64 entry = keys.Entry(i);
    if (entry >= threshold) shared.taken[atomicAdd(&shared.count, 1u)] = entry;
  }
  __syncthreads();
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
  extern __shared__ uint32 row_keys[];
  ptx::WaitForProducers();
  ptx::ReleaseConsumers();
  const char* row = args.x + InRow(blockIdx.x);
  const Keys keys(row, row_keys);
  Collect(shared, keys, Threshold(shared, keys));
  Sort(shared.taken);
  for (int i = threadIdx.x; i < kK; i += kThreads) {
    const uint32 index = ~uint32(shared.taken[i]);
    if (args.values != nullptr) StoreY(args.values + ValueRow(blockIdx.x) + ValueElem(i), LoadX(row + InElem(index)));
    if (args.indices != nullptr) region::StoreI64(args.indices + IndexRow(blockIdx.x) + IndexElem(i), index);
  }
}
