#include "backends/cuda/pool_family.h"

#include <fmt/format.h>

#include <algorithm>

#include "backends/cuda/image_strides.h"
#include "backends/cuda/pool_stages.h"
#include "backends/cuda/type_names.h"
#include "backends/operands.h"
#include "base/error.h"
#include "ops/pool.h"

namespace tenon::cuda {
namespace {

/// Whether eight channels of every pixel are one aligned vector.
bool HasVectors(const KernelOperand& operand) {
  const int64_t size = SizeOf(operand.dtype);
  return operand.shape[1] % 8 == 0 && AreVectors(operand, std::min<int64_t>(16, 8 * size));
}

int64_t PadEnd(const Pool& pool, size_t axis_from_last) {
  return pool.pads.empty() ? 0 : pool.pads[pool.pads.size() - 1 - axis_from_last];
}

/// Whether the kernel takes the greatest of half vectors as they are, reading the border for what is outside of the
/// image: every window has to have some of the image, without gaps.
bool IsHalfMaximum(const Pool& pool, const WindowGeometry& g, DType dtype, int channels) {
  const bool is_half = dtype == DType::kFloat16 || dtype == DType::kBFloat16;
  return pool.kind == PoolKind::kMax && is_half && channels == 8 && g.dilation_h == 1 && g.dilation_w == 1 &&
         g.pad_top < g.kh && g.pad_left < g.kw && (g.oh - 1) * g.stride_h - g.pad_top < g.ih &&
         (g.ow - 1) * g.stride_w - g.pad_left < g.iw;
}

}  // namespace

std::string PoolFamily::Supports(const StepProblem& step, const CudaDevice&) const {
  const auto* pool = dynamic_cast<const Pool*>(step.op);
  if (pool == nullptr) return "not a Pool";
  if (!step.outputs[0].present || (step.outputs.size() > 1 && step.outputs[1].present)) return "indices of maxima";
  if (TypeName(step.inputs[0].dtype).empty()) return "an element type without a kernel";
  WindowGeometry geometry;
  std::string why_not = LowerPoolWindow(step, geometry);
  if (why_not.empty() && pool->stages > 1) why_not = StagesObstacle(step, geometry, pool->stages);
  return why_not;
}

std::vector<KernelLaunch> PoolFamily::Lower(const StepProblem& step, const std::string& tactic,
                                            const CudaDevice& device) const {
  CheckNoParameters(name(), tactic);
  WindowGeometry g;
  const std::string why_not = LowerPoolWindow(step, g);
  TENON_CHECK(why_not.empty(), "{}", why_not);
  const auto& pool = dynamic_cast<const Pool&>(*step.op);
  if (pool.stages > 1) return {LowerStages(step, g, pool.stages, device)};
  const int channels = HasVectors(step.inputs[0]) && HasVectors(step.outputs[0]) ? 8 : 1;
  const int64_t items = int64_t{g.n} * g.oh * g.ow * (g.ic / channels);
  const int threads = items < int64_t{128} * device.limits.multiprocessors ? 64 : 128;  // few: on all multiprocessors
  const ImageStrides in(step.inputs[0]), out(step.outputs[0]);
  std::string text = "#include \"elements.cuh\"\nnamespace problem {\n";
  text +=
      fmt::format("constexpr Type kType = {};\nconstexpr int kKind = {}, kChannels = {};\nconstexpr float kP = {}.f;\n",
                  TypeName(step.inputs[0].dtype), static_cast<int>(pool.kind), channels, pool.p);
  text += fmt::format("constexpr int kN = {}, kC = {}, kIH = {}, kIW = {}, kOH = {}, kOW = {}, kKH = {}, kKW = {};\n",
                      g.n, g.ic, g.ih, g.iw, g.oh, g.ow, g.kh, g.kw);
  text += fmt::format(
      "constexpr int kStrideH = {}, kStrideW = {}, kDilationH = {}, kDilationW = {}, kPadTop = {}, kPadLeft = {}, "
      "kPadBottom = {}, kPadRight = {};\nconstexpr bool kCountsPads = {}, kIsHalfMaximum = {};\nconstexpr int kThreads "
      "= {};\n",
      g.stride_h, g.stride_w, g.dilation_h, g.dilation_w, g.pad_top, g.pad_left,
      step.inputs[0].shape.size() == 4 ? PadEnd(pool, 1) : 0, PadEnd(pool, 0), pool.count_include_pad,
      IsHalfMaximum(pool, g, step.inputs[0].dtype, channels), threads);
  text += fmt::format(
      "constexpr long long kInImage = {}, kInRow = {}, kInPixel = {}, kInChannel = {};\n"
      "constexpr long long kOutImage = {}, kOutRow = {}, kOutPixel = {}, kOutChannel = {};\n",
      in.image, in.row, in.pixel, in.channel, out.image, out.row, out.pixel, out.channel);
  text += "}  // namespace problem\n#include \"pool.cu\"\n";
  return {{.source = {.entry = "pool_kernel", .text = std::move(text)},
           .grid_x = static_cast<unsigned>((items + threads - 1) / threads),
           .threads = static_cast<unsigned>(threads),
           .pointers = {KernelPointer::Input(0), KernelPointer::Output(0)}}};
}

}  // namespace tenon::cuda
