#include "backends/cpu/row_tiling.h"

#include <algorithm>

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
  }
  return variant;
}

}  // namespace

RowGeometry RowOf(const ConvProblem& p) {
  return {.outputs = p.ow,
          .inputs = p.iw,
          .kernel = p.kw,
          .stride = p.stride_w,
          .dilation = p.dilation_w,
          .pad = p.pad_left};
}

int EvenSplit(int size, int parts, int index) { return static_cast<int>(int64_t{size} * index / parts); }

RowTiling TileRow(const RowGeometry& row, int pixels) {
  RowTiling tiling;
  tiling.tiles = (row.outputs + pixels - 1) / pixels;
  const int small = row.outputs / tiling.tiles, larger_tiles = row.outputs % tiling.tiles;
  for (int tile = 0, output = 0; tile < tiling.tiles; ++tile) {
    const int size = small + (tile < larger_tiles ? 1 : 0);
    const TileVariant variant = VariantAt(row, output, size);
    const auto known = std::find(tiling.variants.begin(), tiling.variants.end(), variant);
    const int index = static_cast<int>(known - tiling.variants.begin());
    if (known == tiling.variants.end()) tiling.variants.push_back(variant);
    if (tiling.runs.empty() || tiling.runs.back().variant != index) {
      tiling.runs.push_back({.variant = index, .first_tile = tile, .tiles = 0, .first_output = output});
    }
    ++tiling.runs.back().tiles;
    output += size;
  }
  return tiling;
}

}  // namespace tenon::cpu
