#include "backends/cpu/pool_family.h"

#include <algorithm>

#include "backends/cpu/pixel_view.h"
#include "backends/cpu/row_combine.h"
#include "ops/pool.h"
#include "ops/window.h"

namespace tenon {
namespace {

using namespace cpu;

/// The taps of a window that lie on the input, along one axis, for every output position.
struct AxisTaps {
  struct Range {
    int64_t begin = 0, count = 0;  ///< first input index; how many, `dilation` apart
    int64_t padded_count = 0;      ///< those within the padded input
  };
  int64_t dilation = 1;
  std::vector<Range> ranges;
};

AxisTaps MakeTaps(const WindowAxis& axis, int64_t in, int64_t out) {
  AxisTaps taps{.dilation = axis.dilation};
  for (int64_t position = 0; position < out; ++position) {
    const int64_t start = position * axis.stride - axis.pad_begin;
    // Taps at start + i * dilation below a limit.
    const auto count_below = [&](int64_t limit) {
      return limit <= start ? 0 : std::min(axis.kernel, (limit - start - 1) / axis.dilation + 1);
    };
    const int64_t skipped = count_below(0);
    taps.ranges.push_back({start + skipped * axis.dilation, count_below(in) - skipped, count_below(in + axis.pad_end)});
  }
  return taps;
}

/// The greatest of bytes is asked of them as they are: only their layout can be an obstacle.
KernelOperand AsFloats(const Pool& op, KernelOperand operand) {
  if (op.kind != PoolKind::kMax || operand.dtype != DType::kUInt8) return operand;
  operand.dtype = DType::kFloat32;
  if (operand.shape.size() > 1 && operand.strides_bytes[1] == 1) operand.strides_bytes[1] = SizeOf(operand.dtype);
  return operand;
}

/// Whether a window lies outside of the input altogether.
bool SeesNothing(const Pool& op, const StepProblem& problem) {
  const PixelView in = MakePixelView(problem.inputs[0]), out = MakePixelView(problem.outputs[0]);
  const auto axes = Window::Make(Pool::kName, op.kernel, op.strides, op.dilations, op.pads).As3D();
  for (size_t d = 0; d < 3; ++d) {
    for (const AxisTaps::Range& range : MakeTaps(axes[d], in.size[d], out.size[d]).ranges) {
      if (range.count == 0) return true;
    }
  }
  return false;
}

class PoolKernel final : public Kernel {
 public:
  /// `op` gives output `output` of the step from its input.
  PoolKernel(const Pool& op, size_t output, const StepProblem& problem, const CpuDevice& device)
      : is_max_(op.kind == PoolKind::kMax),
        counts_padding_(op.count_include_pad),
        output_(output),
        in_(MakePixelView(problem.inputs[0])),
        out_(MakePixelView(problem.outputs[output])),
        combine_(BestIsa(device.features), is_max_ ? Combine::kMax : Combine::kSum, problem.inputs[0].dtype,
                 problem.outputs[output].dtype) {
    const auto axes = Window::Make(Pool::kName, op.kernel, op.strides, op.dilations, op.pads).As3D();
    for (size_t d = 0; d < 3; ++d) {
      taps_[d] = MakeTaps(axes[d], in_.size[d], out_.size[d]);
      most_taps_ *= axes[d].kernel;
    }
    pixels_ = out_.images * out_.pixels();
    // About 50 us an item, at half a nanosecond per vector and tap.
    const int64_t pixel_ns = 20 + most_taps_ * (out_.channels / 16 + 1) / 2;
    pixels_per_item_ = std::max<int64_t>(1, 50'000 / pixel_ns);
  }

  int64_t work_items() const override {
    return out_.channels == 0 ? 0 : (pixels_ + pixels_per_item_ - 1) / pixels_per_item_;
  }
  size_t scratch_bytes() const override { return static_cast<size_t>(most_taps_) * sizeof(std::byte*); }

  void Run(const KernelArgs& args, int64_t item, std::byte* scratch) const override {
    auto** rows = reinterpret_cast<const std::byte**>(scratch);
    const int64_t begin = item * pixels_per_item_, end = std::min(begin + pixels_per_item_, pixels_);
    for (int64_t i = begin; i < end; ++i) {
      const PixelIndex pixel = LocatePixel(out_, i);
      const std::byte* image = args.inputs[0] + pixel.image * in_.image_stride;
      CombineCall call{.rows = rows, .out = args.outputs[output_] + PixelOffset(out_, pixel), .elems = out_.channels};
      call.row_count = FindRows(pixel, image, rows);
      call.scale = is_max_ ? 1.0f : Scale(pixel, call.row_count);
      combine_(call);
    }
  }

 private:
  const AxisTaps::Range& Range(size_t axis, const PixelIndex& pixel) const {
    return taps_[axis].ranges[static_cast<size_t>(pixel.at[axis])];
  }

  int64_t FindRows(const PixelIndex& pixel, const std::byte* image, const std::byte** rows) const {
    const AxisTaps::Range &d = Range(0, pixel), &h = Range(1, pixel), &w = Range(2, pixel);
    int64_t count = 0;
    for (int64_t i = 0; i < d.count; ++i) {
      const std::byte* plane = image + (d.begin + i * taps_[0].dilation) * in_.stride[0];
      for (int64_t j = 0; j < h.count; ++j) {
        const std::byte* at = plane + (h.begin + j * taps_[1].dilation) * in_.stride[1] + w.begin * in_.stride[2];
        for (int64_t k = 0; k < w.count; ++k, at += taps_[2].dilation * in_.stride[2]) rows[count++] = at;
      }
    }
    return count;
  }

  float Scale(const PixelIndex& pixel, int64_t count) const {
    if (counts_padding_)
      count = Range(0, pixel).padded_count * Range(1, pixel).padded_count * Range(2, pixel).padded_count;
    return count == 0 ? 0.0f : static_cast<float>(1.0 / static_cast<double>(count));
  }

  bool is_max_, counts_padding_;
  size_t output_;
  PixelView in_, out_;
  RowCombiner combine_;
  std::array<AxisTaps, 3> taps_;
  int64_t most_taps_ = 1, pixels_ = 0, pixels_per_item_ = 1;
};

/// Stages side by side: each from the input, by wider windows, as nothing waits for another item. Slower than stages
/// one by one, which is what graphs for CPUs have: for those that were fused for another device.
class StagedPoolKernel final : public Kernel {
 public:
  StagedPoolKernel(const Pool& op, const StepProblem& problem, const CpuDevice& device) {
    for (int64_t stage = 0; stage < op.stages; ++stage)
      stages_.emplace_back(StageFromInput(op, stage), StageOutput(stage), problem, device);
  }
  int64_t work_items() const override {
    int64_t items = 0;
    for (const PoolKernel& stage : stages_) items += stage.work_items();
    return items;
  }
  size_t scratch_bytes() const override { return stages_.back().scratch_bytes(); }
  void Run(const KernelArgs& args, int64_t item, std::byte* scratch) const override {
    auto stage = stages_.begin();
    for (; item >= stage->work_items(); ++stage) item -= stage->work_items();
    stage->Run(args, item, scratch);
  }

 private:
  std::vector<PoolKernel> stages_;
};

}  // namespace

std::string PoolFamily::Supports(const StepProblem& problem, const CpuDevice& device) const {
  const auto* op = dynamic_cast<const Pool*>(problem.op);
  if (!op) return fmt::format("{} is no Pool", problem.op->name());
  if (op->kind == PoolKind::kLp) return "Lp pooling";
  if (problem.outputs.size() > 1 && problem.outputs[1].present) return "indices of the maxima are asked for";
  if (std::string reason = PixelObstacle(AsFloats(*op, problem.inputs[0]), device); !reason.empty()) return reason;
  for (int64_t stage = 0; stage < op->stages; ++stage) {
    const KernelOperand& output = problem.outputs.at(StageOutput(stage));
    if (!output.present) return "a stage that nobody reads";
    if (std::string reason = PixelObstacle(AsFloats(*op, output), device); !reason.empty()) return reason;
  }
  if (problem.inputs[0].dtype == DType::kUInt8 && SeesNothing(*op, problem)) return "a window of padding alone";
  constexpr int64_t kMostTaps = 4096;
  int64_t taps = 1;
  for (const int64_t kernel : StageFromInput(*op, op->stages - 1).kernel) {
    taps *= std::min(kernel, kMostTaps + 1);
    if (taps > kMostTaps) return "a window of too many taps";
  }
  return {};
}

std::vector<std::string> PoolFamily::Candidates(const StepProblem&, const CpuDevice&) const { return {""}; }

std::unique_ptr<Kernel> PoolFamily::Create(const StepProblem& problem, const std::string& tactic,
                                           const CpuDevice& device) const {
  const std::string reason = tactic.empty() ? Supports(problem, device) : tactic;
  if (!reason.empty())
    ThrowInvalid({.what = "damaged plan", .where = "pool", .got = reason, .expected = "a step that the family takes"});
  const auto& op = dynamic_cast<const Pool&>(*problem.op);
  if (op.stages > 1) return std::make_unique<StagedPoolKernel>(op, problem, device);
  return std::make_unique<PoolKernel>(op, 0, problem, device);
}

}  // namespace tenon
