#include "backends/cpu/resize_family.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <optional>

#include "backends/cpu/pixel_view.h"
#include "backends/cpu/row_combine.h"
#include "ops/resize.h"

namespace tenon {
namespace {

using namespace cpu;

constexpr int64_t kMostTaps = 1024;

/// What an output position along one axis is made of.
struct AxisTap {
  int64_t offset = 0;  ///< bytes
  float weight = 1;
};

std::vector<std::vector<AxisTap>> MakeTaps(const Resize& op, const ResizeAxis& axis, int64_t stride) {
  std::vector<std::vector<AxisTap>> result(static_cast<size_t>(axis.out));
  if (axis.IsIdentity()) {
    for (size_t i = 0; i < result.size(); ++i) result[i] = {{static_cast<int64_t>(i) * stride, 1.0f}};
    return result;
  }
  const ResizeTaps taps = MakeResizeTaps(op, axis);
  for (size_t i = 0; i < result.size(); ++i) {
    for (int64_t t = 0; t < taps.count; ++t) {
      const size_t at = i * static_cast<size_t>(taps.count) + static_cast<size_t>(t);
      const auto weight = static_cast<float>(taps.weight[at]);
      if (weight != 0) result[i].push_back({taps.index[at] * stride, weight});
    }
  }
  return result;
}

std::vector<double> ParseScales(const std::string& tactic) {
  std::vector<double> scales;
  const char* at = tactic.c_str();
  while (*at) {
    char* end = nullptr;
    scales.push_back(std::strtod(at, &end));
    if (end == at || !std::isfinite(scales.back()) || scales.back() <= 0) return {};
    at = end;
  }
  return scales;
}

/// The axes from the operands, at compile time.
std::optional<std::vector<ResizeAxis>> ResolveAxes(const Resize& op, const StepProblem& problem) {
  const auto constant = [&](size_t i) { return i < problem.inputs.size() ? problem.inputs[i].constant : Tensor(); };
  if (constant(2).is_null() && constant(3).is_null()) return std::nullopt;
  return ResolveResize(op, problem.inputs[0].shape, constant(1), constant(2), constant(3));
}

std::string Obstacle(const StepProblem& problem, const CpuDevice& device) {
  const auto* op = dynamic_cast<const Resize*>(problem.op);
  if (!op) return fmt::format("{} is no Resize", problem.op->name());
  if (op->coordinates == ResizeCoordinates::kTfCropAndResize) return "tf_crop_and_resize";
  for (KernelOperand operand : {problem.inputs[0], problem.outputs[0]}) {
    const bool is_copy = op->mode == ResizeMode::kNearest;
    if (is_copy && operand.shape.size() >= 2 && operand.shape[1] != 1 &&
        operand.strides_bytes[1] != SizeOf(operand.dtype))
      return "channels are not contiguous";
    if (is_copy) operand.dtype = DType::kFloat32, operand.strides_bytes.at(1) = SizeOf(operand.dtype);
    if (std::string reason = PixelObstacle(operand, device); !reason.empty()) return reason;
  }
  if (problem.inputs[0].shape.at(0) != problem.outputs[0].shape.at(0) ||
      problem.inputs[0].shape[1] != problem.outputs[0].shape[1]) {
    return "resizes the batch or the channels";
  }
  return {};
}

class ResizeKernel final : public Kernel {
 public:
  ResizeKernel(const Resize& op, const StepProblem& problem, const std::vector<double>& scales, const CpuDevice& device)
      : in_(MakePixelView(problem.inputs[0])),
        out_(MakePixelView(problem.outputs[0])),
        elem_bytes_(SizeOf(problem.inputs[0].dtype)) {
    const size_t spatial = problem.inputs[0].shape.size() - 2;
    for (size_t d = 0; d < 3; ++d) {
      ResizeAxis axis{.in = in_.size[d], .out = out_.size[d]};
      if (d + spatial >= 3) axis.scale = scales[d + spatial - 3];
      taps_[d] = MakeTaps(op, axis, in_.stride[d]);
      size_t most = 1;
      for (const auto& taps : taps_[d]) most = std::max(most, taps.size());
      most_taps_ *= static_cast<int64_t>(most);
    }
    if (most_taps_ > kMostTaps) ThrowInvalid("Resize: {} taps", most_taps_);
    if (op.mode != ResizeMode::kNearest)
      combine_.emplace(BestIsa(device.features), Combine::kWeighted, problem.inputs[0].dtype, problem.outputs[0].dtype);
    pixels_ = out_.images * out_.pixels();
    pixels_per_item_ = std::max<int64_t>(1, 50'000 / (20 + most_taps_ * (3 + out_.channels / 16)));
  }

  int64_t work_items() const override {
    return out_.channels == 0 ? 0 : (pixels_ + pixels_per_item_ - 1) / pixels_per_item_;
  }
  size_t scratch_bytes() const override {
    return static_cast<size_t>(most_taps_) * (sizeof(std::byte*) + sizeof(float));
  }

  void Run(const KernelArgs& args, int64_t item, std::byte* scratch) const override {
    auto** rows = reinterpret_cast<const std::byte**>(scratch);
    auto* weights = reinterpret_cast<float*>(rows + most_taps_);
    const int64_t begin = item * pixels_per_item_, end = std::min(begin + pixels_per_item_, pixels_);
    for (int64_t i = begin; i < end; ++i) {
      const PixelIndex pixel = LocatePixel(out_, i);
      const std::byte* image = args.inputs[0] + pixel.image * in_.image_stride;
      std::byte* to = args.outputs[0] + PixelOffset(out_, pixel);
      const int64_t count = FindRows(pixel, image, rows, weights);
      if (combine_) {
        (*combine_)({.rows = rows, .row_count = count, .weights = weights, .out = to, .elems = out_.channels});
      } else {
        std::memcpy(to, rows[0], static_cast<size_t>(out_.channels * elem_bytes_));
      }
    }
  }

 private:
  int64_t FindRows(const PixelIndex& pixel, const std::byte* image, const std::byte** rows, float* weights) const {
    int64_t count = 0;
    for (const AxisTap& d : taps_[0][static_cast<size_t>(pixel.at[0])]) {
      for (const AxisTap& h : taps_[1][static_cast<size_t>(pixel.at[1])]) {
        for (const AxisTap& w : taps_[2][static_cast<size_t>(pixel.at[2])]) {
          rows[count] = image + d.offset + h.offset + w.offset;
          weights[count++] = d.weight * h.weight * w.weight;
        }
      }
    }
    return count;
  }

  PixelView in_, out_;
  int64_t elem_bytes_;
  std::array<std::vector<std::vector<AxisTap>>, 3> taps_;
  std::optional<RowCombiner> combine_;
  int64_t most_taps_ = 1, pixels_ = 0, pixels_per_item_ = 1;
};

}  // namespace

std::string ResizeFamily::Supports(const StepProblem& problem, const CpuDevice& device) const {
  if (std::string reason = Obstacle(problem, device); !reason.empty()) return reason;
  const auto& op = dynamic_cast<const Resize&>(*problem.op);
  const auto axes = ResolveAxes(op, problem);
  if (!axes) return "scales and sizes aren't constant";
  if (!(*axes)[0].IsIdentity() || !(*axes)[1].IsIdentity()) return "resizes the batch or the channels";
  int64_t taps = 1;
  for (size_t d = 2; d < axes->size(); ++d) {
    if (!(*axes)[d].IsIdentity()) taps *= MakeResizeTaps(op, (*axes)[d]).count;
    if (taps > kMostTaps) return "a filter of too many taps";
  }
  return {};
}

std::vector<std::string> ResizeFamily::Candidates(const StepProblem& problem, const CpuDevice&) const {
  const auto axes = ResolveAxes(dynamic_cast<const Resize&>(*problem.op), problem);
  TENON_CHECK(axes, "candidates of a problem that isn't supported");
  std::string tactic;
  for (size_t d = 2; d < axes->size(); ++d) tactic += fmt::format("{}{:a}", d == 2 ? "" : " ", (*axes)[d].scale);
  return {tactic};
}

std::unique_ptr<Kernel> ResizeFamily::Create(const StepProblem& problem, const std::string& tactic,
                                             const CpuDevice& device) const {
  const std::vector<double> scales = ParseScales(tactic);
  std::string reason = Obstacle(problem, device);
  if (reason.empty() && scales.size() + 2 != problem.inputs[0].shape.size())
    reason = fmt::format("tactic \"{}\"", tactic);
  if (!reason.empty())
    ThrowInvalid({.what = "damaged plan", .where = "resize", .got = reason, .expected = "one scale per spatial axis"});
  return std::make_unique<ResizeKernel>(dynamic_cast<const Resize&>(*problem.op), problem, scales, device);
}

}  // namespace tenon
