#pragma once
#include <algorithm>
#include <cstdint>

namespace tenon::cpu {

/// Joins n floats in one fixed order: 16 running results, as vectors want it, which are joined from the first to the
/// last.
template <class Take, class Join>
float FoldRow(const float* x, int64_t n, float start, const Take& take, const Join& join) {
  constexpr int64_t kLanes = 16;
  float lanes[kLanes];
  std::fill_n(lanes, kLanes, start);
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (int64_t l = 0; l < kLanes; ++l) lanes[l] = take(lanes[l], x[i + l]);
  }
  for (int64_t l = 0; i < n; ++i, ++l) lanes[l] = take(lanes[l], x[i]);
  for (int64_t l = 1; l < kLanes; ++l) lanes[0] = join(lanes[0], lanes[l]);
  return lanes[0];
}

inline float Plus(float a, float b) { return a + b; }
inline float Larger(float a, float b) { return a < b ? b : a; }

inline float SumRow(const float* x, int64_t n) { return FoldRow(x, n, 0, Plus, Plus); }

}  // namespace tenon::cpu
