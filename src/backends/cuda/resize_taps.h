#pragma once
#include <vector>

namespace tenon::cuda {

/// As kernels/letterbox.cu has it.
struct ImageTap {
  int first, second;
  short weights[2];
};

/// Of each scaled pixel of an axis, as OpenCV's INTER_LINEAR has them for bytes: positions of pixel centres in FP32,
/// weights rounded to 2048ths.
/// @param is_row rows past the edge are the edge's twice; columns have the edge alone: OpenCV's rounding tells them
/// apart
std::vector<ImageTap> ResizeTaps(int from, int to, bool is_row);

}  // namespace tenon::cuda
