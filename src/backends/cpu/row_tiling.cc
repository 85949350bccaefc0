#include "backends/cpu/row_tiling.h"

#include <algorithm>

#include "base/error.h"

namespace tenon::cpu {
namespace {

int64_t CeilDiv(int64_t a, int64_t b) { return a >= 0 ? (a + b - 1) / b : -(-a / b); }

TileVariant VariantAt(const RowGeometry& row, int first_output, int pixels) {
  TileVariant variant{.pixels = pixels};
  for (int k = 0; k < row.kernel; ++k) {
    const int64_t first_input = int64_t{first_output} * row.stride - row.pad + int64_t{k} * row.dilation;
    PixelRange range;
    range.begin = static_cast<int>(std::clamp<int64_t>(CeilDiv(-first_input, row.stride), 0, pixels));
    range.end = static_cast<int>(std::clamp<int64_t>(CeilDiv(row.inputs - first_input, row.stride), 0, pixels));
    if (range.empty()) range = {};
    variant.columns.push_back(range);
    const int64_t to_last = row.inputs - 1 - first_input;
    const bool reads_last =
        row.marks_last && to_last >= 0 && to_last % row.stride == 0 && to_last / row.stride < pixels;
    variant.last_inputs.push_back(reads_last ? static_cast<int>(to_last / row.stride) : -1);
  }
  return variant;
}

/// No tap of any of the tile's outputs lies outside: so it is with nearly all tiles, and they need no closer look.
bool IsInterior(const RowGeometry& row, int first_output, int pixels) {
  const int64_t first = int64_t{first_output} * row.stride - row.pad;
  const int64_t last = first + int64_t{pixels - 1} * row.stride + int64_t{row.kernel - 1} * row.dilation;
  return first >= 0 && last < row.inputs - (row.marks_last ? 1 : 0);
}

/// Index of a variant in the list, which it joins if it is new.
int IndexOf(std::vector<TileVariant>& variants, TileVariant variant) {
  const auto known = std::find(variants.begin(), variants.end(), variant);
  const int index = static_cast<int>(known - variants.begin());
  if (known == variants.end()) variants.push_back(std::move(variant));
  return index;
}

}  // namespace

RowGeometry RowOf(const ConvProblem& p) {
  return {.outputs = p.ow,
          .inputs = p.iw,
          .kernel = p.kw,
          .stride = p.stride_w,
          .dilation = p.dilation_w,
          .pad = p.pad_left,
          .marks_last = p.is_int8() && p.group_ic() == 3 && p.input.w_stride >= 3};
}

RowGeometry ColumnOf(const ConvProblem& p) {
  return {.outputs = p.oh,
          .inputs = p.ih,
          .kernel = p.kh,
          .stride = p.stride_h,
          .dilation = p.dilation_h,
          .pad = p.pad_top};
}

KernelRange SeenColumns(const std::vector<PixelRange>& columns, int pixel) {
  KernelRange seen;
  for (int k = 0; k < static_cast<int>(columns.size()); ++k) {
    if (pixel < columns[k].begin || pixel >= columns[k].end) continue;
    if (seen.size() == 0) seen.begin = k;
    seen.end = k + 1;
  }
  return seen;
}

std::vector<KernelRange> SeenRanges(const RowGeometry& row) {
  std::vector<KernelRange> ranges;
  for (int output = 0; output < row.outputs; ++output) {
    KernelRange range = ValidKernelRange(int64_t{output} * row.stride - row.pad, row.kernel, row.dilation, row.inputs);
    if (range.size() == 0) range = {};
    // Ranges move from the kernel's end to its begin: equal ones are neighbours, but for those that are empty.
    if (std::find(ranges.begin(), ranges.end(), range) == ranges.end()) ranges.push_back(range);
  }
  return ranges;
}

int RangeIndex(const std::vector<KernelRange>& ranges, KernelRange range) {
  if (range.size() == 0) range = {};
  const auto found = std::find(ranges.begin(), ranges.end(), range);
  TENON_CHECK(found != ranges.end(), "kernel positions {} to {}", range.begin, range.end);
  return static_cast<int>(found - ranges.begin());
}

int EvenSplit(int size, int parts, int index) { return static_cast<int>(int64_t{size} * index / parts); }

RowTiling TileRow(const RowGeometry& row, int pixels) {
  RowTiling tiling;
  tiling.tiles = (row.outputs + pixels - 1) / pixels;
  const int small = row.outputs / tiling.tiles, larger_tiles = row.outputs % tiling.tiles;
  int interior[2] = {-1, -1};  // variants of the two sizes
  for (int tile = 0, output = 0; tile < tiling.tiles; ++tile) {
    const bool is_larger = tile < larger_tiles, is_interior = IsInterior(row, output, small + is_larger);
    const int size = small + is_larger;
    int index = is_interior ? interior[is_larger] : -1;
    if (index < 0) index = IndexOf(tiling.variants, VariantAt(row, output, size));
    if (is_interior) interior[is_larger] = index;
    if (tiling.runs.empty() || tiling.runs.back().variant != index) {
      tiling.runs.push_back({.variant = index, .first_tile = tile, .tiles = 0, .first_output = output});
    }
    ++tiling.runs.back().tiles;
    output += size;
  }
  return tiling;
}

}  // namespace tenon::cpu
