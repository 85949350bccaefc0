// Elements moved by index: Gather, GatherElements, GatherND, and Tile, which has none. A thread an element. An index
// counts from the end where it is negative; one outside of its axis gives zeros.
#include "region.cuh"

namespace gather {
using namespace problem;

struct Args {
  const char* x;
  const char* indices;
  char* y;
};

/// Moves `offset` to the place that index `at` names along an axis.
DEVICE void FollowIndex(int64& offset, bool& inside, const char* at, int64 size, int64 stride) {
  int64 index = LoadIndex(at);
  if (index < 0) index += size;
  inside = inside && uint64(index) < uint64(size);
  offset += index * stride;
}

}  // namespace gather

extern "C" __global__ void __launch_bounds__(128) gather_kernel(const __grid_constant__ gather::Args args) {
  using namespace gather;
  const uint32 i = blockIdx.x * 128 + threadIdx.x;
  ptx::WaitForProducers();
  ptx::ReleaseConsumers();
  if (i >= kElems) return;
  int64 offset = XOffset(i);
  bool inside = true;
  FOLLOW_INDICES(args.indices + IndexOffset(i))
  Element element = 0;
  if (inside) element = *reinterpret_cast<const Element*>(args.x + offset);
  *reinterpret_cast<Element*>(args.y + OutOffset(i)) = element;
}
