#include "backends/cuda/pool_stages.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "backends/cuda/image_strides.h"
#include "backends/cuda/type_names.h"
#include "ops/pool.h"

namespace tenon::cuda {
namespace {

constexpr int64_t kSharedBytes = 48 << 10;  ///< that a block of any GPU has without asking for more

/// Bytes of neighbouring channels that a thread may take of every operand at once, at most `most`: of one when they are
/// no vectors.
int64_t VectorBytes(const std::vector<const KernelOperand*>& operands, int64_t most) {
  for (int64_t bytes = most; bytes >= 4; bytes /= 2) {
    if (std::all_of(operands.begin(), operands.end(), [&](const auto* operand) { return AreVectors(*operand, bytes); }))
      return bytes;
  }
  return SizeOf(operands[0]->dtype);
}

/// What a block of pool_stages.cu takes.
struct StagesTile {
  int h, w, rows, columns;  ///< pixels; with the border
  int64_t vector_bytes;
  int64_t SharedBytes() const { return int64_t{2} * rows * columns * std::max<int64_t>(vector_bytes, 4); }
};

/// The largest tile that fits: the whole image where it does.
StagesTile ChooseTile(const WindowGeometry& g, int stages, int64_t vector_bytes) {
  StagesTile tile{.h = g.oh, .w = g.ow, .vector_bytes = vector_bytes};
  while (true) {
    tile.rows = std::min(g.ih, tile.h + stages * (g.kh - 1));
    tile.columns = std::min(g.iw, tile.w + stages * (g.kw - 1));
    if (tile.SharedBytes() <= kSharedBytes || (tile.h == 1 && tile.w == 1)) return tile;
    int& longer = tile.h >= tile.w ? tile.h : tile.w;
    longer = (longer + 1) / 2;
  }
}

std::vector<const KernelOperand*> StagesOperands(const StepProblem& step, int64_t stages) {
  std::vector<const KernelOperand*> operands{&step.inputs[0]};
  for (int64_t stage = 0; stage < stages; ++stage) operands.push_back(&step.outputs.at(StageOutput(stage)));
  return operands;
}

/// Few channels a block where that makes more blocks than the GPU has multiprocessors.
StagesTile StagesTileOf(const StepProblem& step, const WindowGeometry& g, int64_t stages, int multiprocessors) {
  const auto operands = StagesOperands(step, stages);
  int64_t bytes = VectorBytes(operands, 16);
  const auto blocks = [&] { return g.n * g.ic * SizeOf(operands[0]->dtype) / bytes; };
  const auto fits = [&] { return ChooseTile(g, static_cast<int>(stages), bytes).SharedBytes() <= kSharedBytes; };
  while (bytes > 4 && (blocks() < multiprocessors || !fits())) bytes /= 2;
  return ChooseTile(g, static_cast<int>(stages), bytes);
}

}  // namespace

std::string StagesObstacle(const StepProblem& step, const WindowGeometry& g, int64_t stages) {
  const auto operands = StagesOperands(step, stages);
  if (!std::all_of(operands.begin(), operands.end(), [](const auto* operand) { return operand->present; }))
    return "a stage that nobody reads";
  constexpr int kMostTaps = 64, kMostStages = 8;  // both loops are unrolled
  if (g.kh > kMostTaps || g.kw > kMostTaps || stages > kMostStages) return "windows of too many taps";
  return ChooseTile(g, static_cast<int>(stages), 4).SharedBytes() > kSharedBytes ? "windows of too many taps" : "";
}

KernelLaunch LowerStages(const StepProblem& step, const WindowGeometry& g, int64_t stages, const CudaDevice& device) {
  const StagesTile tile = StagesTileOf(step, g, stages, device.limits.multiprocessors);
  const auto operands = StagesOperands(step, stages);
  const int64_t tiles_x = (g.ow + tile.w - 1) / tile.w, tiles_y = (g.oh + tile.h - 1) / tile.h;
  const int64_t groups = g.ic * SizeOf(operands[0]->dtype) / tile.vector_bytes;
  const int threads = std::min(1024, (tile.rows * tile.columns + 31) / 32 * 32);
  std::string text = "#include \"elements.cuh\"\nnamespace problem {\n";
  text += fmt::format("constexpr Type kType = {};\nconstexpr int kStages = {}, kThreads = {}, kVectorBytes = {};\n",
                      TypeName(operands[0]->dtype), stages, threads, tile.vector_bytes);
  text += fmt::format("constexpr int kH = {}, kW = {}, kKH = {}, kKW = {}, kPadTop = {}, kPadLeft = {};\n", g.ih, g.iw,
                      g.kh, g.kw, g.pad_top, g.pad_left);
  text += fmt::format(
      "constexpr int kTileH = {}, kTileW = {}, kMostRows = {}, kMostColumns = {}, kTilesX = {}, kTilesY = {}, kGroups "
      "= "
      "{};\n",
      tile.h, tile.w, tile.rows, tile.columns, tiles_x, tiles_y, groups);
  const ImageStrides in(*operands[0]);
  text += fmt::format("constexpr long long kInImage = {}, kInRow = {}, kInPixel = {}, kInChannel = {};\n", in.image,
                      in.row, in.pixel, in.channel);
  const auto list = [&](const char* name, int64_t ImageStrides::*stride) {
    std::vector<int64_t> values;
    for (size_t i = 1; i < operands.size(); ++i) values.push_back(ImageStrides(*operands[i]).*stride);
    return fmt::format("constexpr long long {}[] = {{{}}};\n", name, fmt::join(values, ", "));
  };
  text += list("kOutImage", &ImageStrides::image) + list("kOutRow", &ImageStrides::row) +
          list("kOutPixel", &ImageStrides::pixel) + list("kOutChannel", &ImageStrides::channel);
  text += "}  // namespace problem\n#include \"pool_stages.cu\"\n";
  KernelLaunch launch{.source = {.entry = "pool_stages_kernel", .text = std::move(text)},
                      .grid_x = static_cast<unsigned>(groups * tiles_x * tiles_y * g.n),
                      .threads = static_cast<unsigned>(threads),
                      .pointers = {KernelPointer::Input(0)}};
  for (int64_t stage = 0; stage < stages; ++stage) launch.pointers.push_back(KernelPointer::Output(StageOutput(stage)));
  return launch;
}

}  // namespace tenon::cuda
