#pragma once
#include <cstddef>
#include <cstdint>

#include "backends/cpu/cpu_features.h"
#include "ir/types.h"

namespace tenon::cpu {

/// Columns that one call takes at most.
inline constexpr int kTileColumns = 16;

/// `rows` rows of `columns` neighbouring elements (f32, bf16 or u8), `row_stride` bytes apart.
struct TileView {
  DType dtype = DType::kFloat32;
  int64_t row_stride = 0;
  int64_t rows = 0;
  int columns = 0;
};

/// Moves tiles between pixel-major memory and one FP32 array per column: `columns[c * pitch + r]` is row r, column c.
/// Touches exactly the tile's elements in `tile`; in `columns` up to 15 beyond the last row.
struct TileTranspose {
  void (*load)(const TileView& view, const std::byte* tile, float* columns, int64_t pitch);
  void (*store)(const TileView& view, std::byte* tile, const float* columns, int64_t pitch);
};

TileTranspose TileTransposeFor(const CpuFeatures& features);

}  // namespace tenon::cpu
