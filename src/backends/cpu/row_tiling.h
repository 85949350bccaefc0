#pragma once
#include <vector>

#include "backends/cpu/conv_problem.h"
#include "backends/cpu/gemm_tile.h"

namespace tenon::cpu {

/// One row of outputs and where its inputs lie, along w.
struct RowGeometry {
  int outputs = 1;
  int inputs = 1;
  int kernel = 1;
  int stride = 1;
  int dilation = 1;
  int pad = 0;
  bool marks_last = false;  ///< variants say which pixels read the last input
};

RowGeometry RowOf(const ConvProblem& problem);
/// The same for one column, along h.
RowGeometry ColumnOf(const ConvProblem& problem);

/// Start of part `index` when `size` is split evenly into `parts`.
int EvenSplit(int size, int parts, int index);

/// Tiles that run the same code: as many pixels, and the same taps outside the image.
struct TileVariant {
  int pixels = 1;
  std::vector<PixelRange> columns;  ///< per kernel column: pixels whose input exists
  std::vector<int> last_inputs;     ///< per kernel column: the pixel that reads the row's last input, or -1

  friend auto operator<=>(const TileVariant&, const TileVariant&) = default;
};

/// Neighbouring tiles of one variant.
struct TileRun {
  int variant = 0;
  int first_tile = 0;
  int tiles = 0;
  int first_output = 0;
};

/// The kernel columns whose input exists for one pixel of a tile. @param columns as TileVariant::columns
KernelRange SeenColumns(const std::vector<PixelRange>& columns, int pixel);

/// The ranges of kernel positions that outputs along one axis see, each once: {0, 0} for none.
std::vector<KernelRange> SeenRanges(const RowGeometry& row);
/// The index of the range in the list, which it must be in.
int RangeIndex(const std::vector<KernelRange>& ranges, KernelRange range);

struct RowTiling {
  std::vector<TileVariant> variants;
  std::vector<TileRun> runs;
  int tiles = 0;
};

/// Splits the row evenly into the fewest tiles of at most `pixels` outputs: sizes differ by one at most, so that no
/// ragged tail runs with few accumulators.
RowTiling TileRow(const RowGeometry& row, int pixels);

}  // namespace tenon::cpu
