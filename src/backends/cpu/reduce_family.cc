#include "backends/cpu/reduce_family.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <functional>
#include <limits>
#include <optional>

#include "backends/cpu/cpu_device.h"
#include "backends/cpu/region_staging.h"
#include "backends/cpu/row_combine.h"
#include "backends/cpu/row_fold.h"
#include "backends/cpu/strided_grid.h"
#include "ops/reduce.h"

namespace tenon {
namespace {

using namespace cpu;

/// Elements that are summed before their sum joins the others.
constexpr int64_t kBlock = 64;
constexpr int64_t kMostReduced = int64_t{1} << 22;
constexpr double kItemNs = 50'000;

std::optional<std::vector<int64_t>> ParseAxes(const std::string& tactic, int64_t rank) {
  std::vector<int64_t> axes;
  const char *at = tactic.data(), *end = tactic.data() + tactic.size();
  while (at != end) {
    int64_t axis = 0;
    const auto [next, error] = std::from_chars(at, end, axis);
    const bool ascends = axes.empty() || axis > axes.back();
    if (error != std::errc() || axis < 0 || axis >= rank || !ascends) return std::nullopt;
    axes.push_back(axis);
    if (next == end) break;
    at = next + 1;
    if (*next != ',' || at == end) return std::nullopt;
  }
  return axes;
}

/// From the operand, at compile time.
std::optional<std::vector<int64_t>> ResolveAxes(const Reduce& op, const StepProblem& problem) {
  const auto rank = static_cast<int64_t>(problem.inputs[0].shape.size());
  std::vector<int64_t> axes;
  if (problem.inputs.size() > 1 && problem.inputs[1].present) {
    if (problem.inputs[1].constant.is_null()) return std::nullopt;
    axes = problem.inputs[1].constant.AsInts();
  }
  for (int64_t& axis : axes) axis += axis < 0 ? rank : 0;
  if (axes.empty() && !op.noop_with_empty_axes) {
    for (int64_t axis = 0; axis < rank; ++axis) axes.push_back(axis);
  }
  std::sort(axes.begin(), axes.end());
  return axes;
}

/// The two sides of a reduction: which output element it is, and the elements that it is made of.
struct ReduceGrids {
  StridedGrid kept_in, kept_out, reduced;
  int64_t lanes = 1;  ///< of a kept dimension whose elements are neighbours on both sides; it is in no grid
};

std::optional<ReduceGrids> MakeGrids(const Reduce& op, const StepProblem& problem, const std::vector<int64_t>& axes) {
  const KernelOperand &in = problem.inputs[0], &out = problem.outputs[0];
  ReduceGrids grids;
  size_t out_dim = 0;
  bool has_lanes = false;
  for (size_t d = 0; d < in.shape.size(); ++d) {
    const bool is_reduced = std::binary_search(axes.begin(), axes.end(), static_cast<int64_t>(d));
    if (!is_reduced || op.keep_dims) {
      if (out_dim >= out.shape.size() || out.shape[out_dim] != (is_reduced ? 1 : in.shape[d])) return std::nullopt;
    }
    if (is_reduced) {
      grids.reduced.Add(in.shape[d], in.strides_bytes[d]);
    } else if (!has_lanes && in.shape[d] > 1 && in.strides_bytes[d] == SizeOf(in.dtype) &&
               out.strides_bytes[out_dim] == SizeOf(out.dtype)) {
      grids.lanes = in.shape[d];
      has_lanes = true;
    } else if (in.shape[d] > 1) {
      // Not merged: both sides must walk the same dimensions.
      grids.kept_in.sizes.push_back(in.shape[d]);
      grids.kept_in.strides.push_back(in.strides_bytes[d]);
      grids.kept_out.sizes.push_back(in.shape[d]);
      grids.kept_out.strides.push_back(out.strides_bytes[out_dim]);
    }
    out_dim += !is_reduced || op.keep_dims;
  }
  if (out_dim != out.shape.size()) return std::nullopt;
  return grids;
}

bool IsRowKind(ReduceKind kind) { return kind <= ReduceKind::kMin; }
bool IsColumnKind(ReduceKind kind) { return kind != ReduceKind::kLogSum && kind != ReduceKind::kLogSumExp; }

/// Rows of lanes, reduced lane by lane: the channels of channels-last images.
class LanesKernel final : public Kernel {
 public:
  LanesKernel(ReduceKind kind, ReduceGrids grids, DType in, DType out, const CpuDevice& device)
      : grids_(std::move(grids)),
        in_bytes_(SizeOf(in)),
        out_bytes_(SizeOf(out)),
        rows_(grids_.reduced.count()),
        inner_(BestIsa(device.features), CombineOf(kind), in, DType::kFloat32),
        outer_(BestIsa(device.features), CombineOf(kind), DType::kFloat32, out) {
    if (kind == ReduceKind::kMean) scale_ = static_cast<float>(1.0 / static_cast<double>(rows_));
    const double lane_ns = 0.05 * static_cast<double>(rows_) + 1;
    chunk_ = std::clamp<int64_t>(static_cast<int64_t>(kItemNs / lane_ns) / 16 * 16, 16, 1024);
    chunks_ = (grids_.lanes + chunk_ - 1) / chunk_;
    kept_ = grids_.kept_in.count();
    const double unit_ns = lane_ns * static_cast<double>(std::min(chunk_, grids_.lanes)) + 30;
    units_per_item_ = std::max<int64_t>(1, static_cast<int64_t>(kItemNs / unit_ns));
  }

  int64_t work_items() const override { return (kept_ * chunks_ + units_per_item_ - 1) / units_per_item_; }
  size_t scratch_bytes() const override {
    const int64_t blocks = (rows_ + kBlock - 1) / kBlock;
    return static_cast<size_t>(kBlock + blocks) * sizeof(std::byte*) +
           static_cast<size_t>(blocks * chunk_) * sizeof(float) + 64;
  }

  void Run(const KernelArgs& args, int64_t item, std::byte* scratch) const override {
    const int64_t begin = item * units_per_item_, end = std::min(begin + units_per_item_, kept_ * chunks_);
    for (int64_t unit = begin; unit < end; ++unit) {
      const int64_t lane = unit % chunks_ * chunk_;
      Reduce(args.inputs[0] + grids_.kept_in.OffsetOf(unit / chunks_) + lane * in_bytes_,
             args.outputs[0] + grids_.kept_out.OffsetOf(unit / chunks_) + lane * out_bytes_,
             std::min(chunk_, grids_.lanes - lane), scratch);
    }
  }

 private:
  static Combine CombineOf(ReduceKind kind) {
    if (kind == ReduceKind::kMax) return Combine::kMaxOrNan;
    return kind == ReduceKind::kMin ? Combine::kMinOrNan : Combine::kSum;
  }

  void Reduce(const std::byte* in, std::byte* out, int64_t lanes, std::byte* scratch) const {
    const int64_t blocks = (rows_ + kBlock - 1) / kBlock;
    auto** rows = reinterpret_cast<const std::byte**>(scratch);
    auto** partial_rows = rows + kBlock;
    auto* partials = reinterpret_cast<float*>(partial_rows + blocks);
    for (int64_t b = 0; b < blocks; ++b) {
      const int64_t count = std::min(kBlock, rows_ - b * kBlock);
      for (int64_t r = 0; r < count; ++r) rows[r] = in + grids_.reduced.OffsetOf(b * kBlock + r);
      auto* partial = reinterpret_cast<std::byte*>(partials + b * chunk_);
      partial_rows[b] = partial;
      inner_({.rows = rows, .row_count = count, .out = partial, .elems = lanes});
    }
    outer_({.rows = partial_rows, .row_count = blocks, .out = out, .elems = lanes, .scale = scale_});
  }

  ReduceGrids grids_;
  int64_t in_bytes_, out_bytes_, rows_;
  RowCombiner inner_, outer_;
  float scale_ = 1;
  int64_t chunk_ = 16, chunks_ = 1, kept_ = 1, units_per_item_ = 1;
};

float LargerOrNan(float a, float b) { return a < b || std::isnan(b) ? b : a; }
float SmallerOrNan(float a, float b) { return b < a || std::isnan(b) ? b : a; }

/// One output element at a time, from all its inputs as a dense array.
class ElementKernel final : public Kernel {
 public:
  ElementKernel(ReduceKind kind, ReduceGrids grids, DType in, DType out)
      : kind_(kind), grids_(std::move(grids)), in_(in), out_(out) {
    count_ = grids_.reduced.count();
    if (grids_.lanes > 1) {
      grids_.kept_in.sizes.push_back(grids_.lanes);
      grids_.kept_in.strides.push_back(SizeOf(in));
      grids_.kept_out.sizes.push_back(grids_.lanes);
      grids_.kept_out.strides.push_back(SizeOf(out));
    }
    kept_ = grids_.kept_in.count();
    elems_per_item_ = std::max<int64_t>(1, static_cast<int64_t>(kItemNs / (20 + static_cast<double>(count_))));
  }

  int64_t work_items() const override { return (kept_ + elems_per_item_ - 1) / elems_per_item_; }
  size_t scratch_bytes() const override { return static_cast<size_t>(count_) * sizeof(float); }

  void Run(const KernelArgs& args, int64_t item, std::byte* scratch) const override {
    auto* values = reinterpret_cast<float*>(scratch);
    const int64_t begin = item * elems_per_item_, end = std::min(begin + elems_per_item_, kept_);
    for (int64_t i = begin; i < end; ++i) {
      GatherFloats(grids_.reduced, in_, args.inputs[0] + grids_.kept_in.OffsetOf(i), values);
      const float result = Reduce(values);
      UnstageFloats(out_, &result, 1, args.outputs[0] + grids_.kept_out.OffsetOf(i), 0);
    }
  }

 private:
  float Reduce(const float* x) const {
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    const auto add_square = [](float a, float b) { return a + b * b; };
    switch (kind_) {
      case ReduceKind::kSum:
        return SumRow(x, count_);
      case ReduceKind::kMean:
        return static_cast<float>(double{SumRow(x, count_)} / static_cast<double>(count_));
      case ReduceKind::kMax:
        return FoldRow(x, count_, -kInfinity, LargerOrNan, LargerOrNan);
      case ReduceKind::kMin:
        return FoldRow(x, count_, kInfinity, SmallerOrNan, SmallerOrNan);
      case ReduceKind::kProd:
        return FoldRow(x, count_, 1, std::multiplies<float>(), std::multiplies<float>());
      case ReduceKind::kL1:
        return FoldRow(
            x, count_, 0, [](float a, float b) { return a + std::abs(b); }, Plus);
      case ReduceKind::kL2:
        return std::sqrt(FoldRow(x, count_, 0, add_square, Plus));
      default:
        return FoldRow(x, count_, 0, add_square, Plus);  // the sum of squares
    }
  }

  ReduceKind kind_;
  ReduceGrids grids_;
  DType in_, out_;
  int64_t count_ = 1, kept_ = 1, elems_per_item_ = 1;
};

std::string Obstacle(const StepProblem& problem) {
  const auto* op = dynamic_cast<const Reduce*>(problem.op);
  if (!op) return fmt::format("{} is no Reduce", problem.op->name());
  if (!IsColumnKind(op->kind)) return "log-sum reductions";
  for (const KernelOperand* operand : {&problem.inputs[0], &problem.outputs[0]}) {
    if (operand->dtype != DType::kFloat32 && operand->dtype != DType::kBFloat16)
      return fmt::format("elements are {}", ToString(operand->dtype));
  }
  if (ElemCount(problem.inputs[0].shape) == 0) return "an empty input";
  return {};
}

}  // namespace

std::string ReduceFamily::Supports(const StepProblem& problem, const CpuDevice&) const {
  if (std::string reason = Obstacle(problem); !reason.empty()) return reason;
  const auto& op = dynamic_cast<const Reduce&>(*problem.op);
  const auto axes = ResolveAxes(op, problem);
  if (!axes) return "axes aren't constant";
  const auto grids = MakeGrids(op, problem, *axes);
  if (!grids || grids->reduced.count() > kMostReduced) return "too many elements";
  return {};
}

std::vector<std::string> ReduceFamily::Candidates(const StepProblem& problem, const CpuDevice&) const {
  const auto axes = ResolveAxes(dynamic_cast<const Reduce&>(*problem.op), problem);
  TENON_CHECK(axes, "candidates of a problem that isn't supported");
  return {fmt::format("{}", fmt::join(*axes, ","))};
}

std::unique_ptr<Kernel> ReduceFamily::Create(const StepProblem& problem, const std::string& tactic,
                                             const CpuDevice& device) const {
  const auto fail = [&]() {
    ThrowInvalid({.what = "damaged plan", .where = "reduce", .got = tactic, .expected = "the reduced axes"});
  };
  const auto axes = ParseAxes(tactic, static_cast<int64_t>(problem.inputs.at(0).shape.size()));
  if (!axes || !Obstacle(problem).empty()) fail();
  const auto& op = dynamic_cast<const Reduce&>(*problem.op);
  auto grids = MakeGrids(op, problem, *axes);
  if (!grids || grids->reduced.count() > kMostReduced) fail();
  const DType in = problem.inputs[0].dtype, out = problem.outputs[0].dtype;
  const bool has_bf16 = in == DType::kBFloat16 || out == DType::kBFloat16;
  const bool has_rows = grids->lanes >= 8 && IsRowKind(op.kind) && (!has_bf16 || device.features.avx512);
  if (has_rows) return std::make_unique<LanesKernel>(op.kind, std::move(*grids), in, out, device);
  return std::make_unique<ElementKernel>(op.kind, std::move(*grids), in, out);
}

}  // namespace tenon
