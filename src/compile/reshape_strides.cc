#include "compile/views.h"

namespace tenon {

std::optional<std::vector<int64_t>> ReshapeStrides(const Shape& from, const std::vector<int64_t>& strides,
                                                   const Shape& to) {
  if (ElemCount(from) != ElemCount(to)) return std::nullopt;
  if (ElemCount(to) == 0) return std::vector<int64_t>(to.size(), 0);  // there is nothing to find: any strides do
  // Dimensions of 1 say nothing about memory; what is left is matched in groups of equal element count.
  std::vector<size_t> dims;
  for (size_t d = 0; d < from.size(); ++d) {
    if (from[d] != 1) dims.push_back(d);
  }
  std::vector<int64_t> result(to.size(), 0);
  size_t next = 0;
  for (size_t t = 0; t < to.size();) {
    if (to[t] == 1) {
      ++t;
      continue;
    }
    if (next == dims.size()) return std::nullopt;
    // Grow both sides until they hold the same number of elements.
    size_t first = next, t_end = t + 1;
    int64_t have = from[dims[next++]], want = to[t];
    while (have != want) {
      if (have < want) {
        if (next == dims.size()) return std::nullopt;
        // Only dimensions that continue each other in memory merge.
        if (strides[dims[next - 1]] != strides[dims[next]] * from[dims[next]]) return std::nullopt;
        have *= from[dims[next++]];
      } else {
        if (t_end == to.size()) return std::nullopt;
        want *= to[t_end++];
      }
    }
    for (size_t i = first + 1; i < next; ++i) {
      if (strides[dims[i - 1]] != strides[dims[i]] * from[dims[i]]) return std::nullopt;
    }
    int64_t stride = strides[dims[next - 1]];
    for (size_t i = t_end; i-- > t;) {
      result[i] = stride;
      stride *= to[i];
    }
    t = t_end;
  }
  return result;
}

}  // namespace tenon
