#include "backends/cpu/row_families.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "backends/cpu/cpu_device.h"
#include "backends/cpu/region_jit.h"
#include "backends/cpu/row_fold.h"
#include "backends/cpu/strided_grid.h"
#include "ops/norm.h"
#include "ops/reduce.h"

namespace tenon {
namespace {

using namespace cpu;

constexpr double kItemNs = 50'000;
constexpr int64_t kMostElems = int64_t{1} << 22;

bool IsRowType(DType dtype) { return dtype == DType::kFloat32 || dtype == DType::kBFloat16; }

std::string TypeObstacle(const StepProblem& problem) {
  for (const KernelOperand& operand : problem.inputs) {
    if (operand.present && !IsRowType(operand.dtype)) return fmt::format("elements are {}", ToString(operand.dtype));
  }
  if (!IsRowType(problem.outputs[0].dtype)) return fmt::format("elements are {}", ToString(problem.outputs[0].dtype));
  return {};
}

/// x and y seen as rows: the dimensions of a row, and those that number the rows.
struct Rows {
  StridedGrid in_outer, in_row, out_outer, out_row;
  DType in = DType::kFloat32, out = DType::kFloat32;
  int64_t elems = 1, count = 1, per_item = 1;

  template <class IsRow>
  Rows(const StepProblem& problem, const IsRow& is_row) : in(problem.inputs[0].dtype), out(problem.outputs[0].dtype) {
    const KernelOperand &x = problem.inputs[0], &y = problem.outputs[0];
    for (size_t d = 0; d < x.shape.size(); ++d) {
      if (is_row(d)) {
        in_row.Add(x.shape[d], x.strides_bytes[d]);
        out_row.Add(x.shape[d], y.strides_bytes[d]);
        elems *= x.shape[d];
      } else {
        in_outer.Add(x.shape[d], x.strides_bytes[d]);
        out_outer.Add(x.shape[d], y.strides_bytes[d]);
        count *= x.shape[d];
      }
    }
    per_item = std::max<int64_t>(1, static_cast<int64_t>(kItemNs / (50 + 1.5 * static_cast<double>(elems))));
  }

  int64_t work_items() const { return elems == 0 ? 0 : (count + per_item - 1) / per_item; }
  /// Floats of an array for one row: generated code computes whole vectors.
  int64_t padded_elems() const { return (elems + kLaneMultiple - 1) / kLaneMultiple * kLaneMultiple; }
};

/// exp(x - shift) for whole vectors.
std::unique_ptr<RegionBody> MakeShiftedExp(const CpuDevice& device) {
  cpu::Program program;
  program.loads = {{.operand = 0}, {.operand = 1}};
  program.instrs = {{.opcode = Opcode::kLoad, .load = 0},
                    {.opcode = Opcode::kLoad, .load = 1},
                    {.opcode = Opcode::kBinary, .binary = BinaryKind::kSub, .args = {0, 1, -1}},
                    {.opcode = Opcode::kUnary, .unary = UnaryKind::kExp, .args = {2, -1, -1}}};
  program.stores = {{.access = {}, .value = 3}};
  return MakeGeneratedBody(program, {false, true}, BestIsa(device.features));
}

size_t AxisOf(int64_t axis, size_t rank) {
  return static_cast<size_t>(axis < 0 ? axis + static_cast<int64_t>(rank) : axis);
}

class SoftmaxKernel final : public Kernel {
 public:
  SoftmaxKernel(const Softmax& op, const StepProblem& problem, const CpuDevice& device)
      : rows_(problem, [axis = AxisOf(op.axis, problem.inputs[0].shape.size())](size_t d) { return d == axis; }),
        is_log_(op.log),
        shifted_exp_(MakeShiftedExp(device)) {}

  int64_t work_items() const override { return rows_.work_items(); }
  size_t scratch_bytes() const override { return 2 * static_cast<size_t>(rows_.padded_elems()) * sizeof(float); }

  void Run(const KernelArgs& args, int64_t item, std::byte* scratch) const override {
    auto* x = reinterpret_cast<float*>(scratch);
    float* exps = x + rows_.padded_elems();
    const int64_t n = rows_.elems;
    const int64_t end = std::min((item + 1) * rows_.per_item, rows_.count);
    for (int64_t row = item * rows_.per_item; row < end; ++row) {
      GatherFloats(rows_.in_row, rows_.in, args.inputs[0] + rows_.in_outer.OffsetOf(row), x);
      std::fill(x + n, exps, 0.0f);
      float max = FoldRow(x, n, -std::numeric_limits<float>::infinity(), Larger, Larger);
      std::byte* arrays[] = {reinterpret_cast<std::byte*>(x), reinterpret_cast<std::byte*>(&max),
                             reinterpret_cast<std::byte*>(exps)};
      shifted_exp_->Run(arrays, rows_.padded_elems(), nullptr);
      const float sum = SumRow(exps, n);
      if (is_log_) {
        const float shift = std::log(sum);
        for (int64_t i = 0; i < n; ++i) exps[i] = (x[i] - max) - shift;
      } else {
        const float scale = 1 / sum;
        for (int64_t i = 0; i < n; ++i) exps[i] *= scale;
      }
      ScatterFloats(rows_.out_row, rows_.out, exps, args.outputs[0] + rows_.out_outer.OffsetOf(row));
    }
  }

 private:
  Rows rows_;
  bool is_log_;
  std::unique_ptr<RegionBody> shifted_exp_;
};

/// Scale or bias as a row's operand; nothing when it differs between rows.
bool IsRowOperand(const KernelOperand& operand, size_t rank, size_t axis) {
  const size_t lead = rank - operand.shape.size();
  for (size_t d = 0; d < operand.shape.size(); ++d) {
    if (lead + d < axis && operand.shape[d] != 1) return false;
  }
  return operand.shape.size() <= rank;
}

StridedGrid RowGrid(const KernelOperand& operand, const Shape& x, size_t axis) {
  StridedGrid grid;
  const size_t lead = x.size() - operand.shape.size();
  for (size_t d = axis; d < x.size(); ++d) {
    const bool is_broadcast = d < lead || operand.shape[d - lead] == 1;
    grid.Add(x[d], is_broadcast ? 0 : operand.strides_bytes[d - lead]);
  }
  return grid;
}

class LayerNormKernel final : public Kernel {
 public:
  LayerNormKernel(const LayerNorm& op, const StepProblem& problem)
      : rows_(problem, [axis = AxisOf(op.axis, problem.inputs[0].shape.size())](size_t d) { return d >= axis; }),
        epsilon_(op.epsilon) {
    const Shape& x = problem.inputs[0].shape;
    for (size_t i = 1; i < problem.inputs.size(); ++i) {
      if (!problem.inputs[i].present) continue;
      (i == 1 ? has_scale_ : has_bias_) = true;
      (i == 1 ? scale_ : bias_) = RowGrid(problem.inputs[i], x, AxisOf(op.axis, x.size()));
      (i == 1 ? scale_type_ : bias_type_) = problem.inputs[i].dtype;
    }
  }

  int64_t work_items() const override { return rows_.work_items(); }
  size_t scratch_bytes() const override { return 3 * static_cast<size_t>(rows_.elems) * sizeof(float); }

  void Run(const KernelArgs& args, int64_t item, std::byte* scratch) const override {
    const int64_t n = rows_.elems;
    auto* x = reinterpret_cast<float*>(scratch);
    float *scale = x + n, *bias = scale + n;
    has_scale_ ? GatherFloats(scale_, scale_type_, args.inputs[1], scale) : void(std::fill_n(scale, n, 1.0f));
    has_bias_ ? GatherFloats(bias_, bias_type_, args.inputs[2], bias) : void(std::fill_n(bias, n, 0.0f));
    const int64_t end = std::min((item + 1) * rows_.per_item, rows_.count);
    for (int64_t row = item * rows_.per_item; row < end; ++row) {
      GatherFloats(rows_.in_row, rows_.in, args.inputs[0] + rows_.in_outer.OffsetOf(row), x);
      const float mean = SumRow(x, n) / static_cast<float>(n);
      const float variance = FoldRow(
                                 x, n, 0, [mean](float a, float b) { return a + (b - mean) * (b - mean); }, Plus) /
                             static_cast<float>(n);
      const float inverse = 1 / std::sqrt(variance + epsilon_);
      for (int64_t i = 0; i < n; ++i) x[i] = (x[i] - mean) * inverse * scale[i] + bias[i];
      ScatterFloats(rows_.out_row, rows_.out, x, args.outputs[0] + rows_.out_outer.OffsetOf(row));
    }
  }

 private:
  Rows rows_;
  float epsilon_;
  bool has_scale_ = false, has_bias_ = false;
  StridedGrid scale_, bias_;
  DType scale_type_ = DType::kFloat32, bias_type_ = DType::kFloat32;
};

[[noreturn]] void Damaged(std::string_view family, const std::string& got) {
  ThrowInvalid(
      {.what = "damaged plan", .where = std::string(family), .got = got, .expected = "a step that the family takes"});
}

}  // namespace

std::string SoftmaxFamily::Supports(const StepProblem& problem, const CpuDevice&) const {
  const auto* op = dynamic_cast<const Softmax*>(problem.op);
  if (!op) return fmt::format("{} is no Softmax", problem.op->name());
  const Shape& shape = problem.inputs[0].shape;
  if (shape.empty() || shape[AxisOf(op->axis, shape.size())] > kMostElems) return "rows are too long";
  return TypeObstacle(problem);
}

std::vector<std::string> SoftmaxFamily::Candidates(const StepProblem&, const CpuDevice&) const { return {""}; }

std::unique_ptr<Kernel> SoftmaxFamily::Create(const StepProblem& problem, const std::string& tactic,
                                              const CpuDevice& device) const {
  const std::string reason = tactic.empty() ? Supports(problem, device) : tactic;
  if (!reason.empty()) Damaged(name(), reason);
  return std::make_unique<SoftmaxKernel>(dynamic_cast<const Softmax&>(*problem.op), problem, device);
}

std::string LayerNormFamily::Supports(const StepProblem& problem, const CpuDevice&) const {
  const auto* op = dynamic_cast<const LayerNorm*>(problem.op);
  if (!op) return fmt::format("{} is no LayerNorm", problem.op->name());
  const Shape& shape = problem.inputs[0].shape;
  const size_t axis = AxisOf(op->axis, shape.size());
  int64_t elems = 1;
  for (size_t d = axis; d < shape.size(); ++d) elems *= shape[d];
  if (elems > kMostElems) return "rows are too long";
  for (size_t i = 1; i < problem.inputs.size(); ++i) {
    if (problem.inputs[i].present && !IsRowOperand(problem.inputs[i], shape.size(), axis))
      return "scale or bias differ between rows";
  }
  for (size_t i = 1; i < problem.outputs.size(); ++i) {
    if (problem.outputs[i].present) return "mean or deviation are asked for";
  }
  return TypeObstacle(problem);
}

std::vector<std::string> LayerNormFamily::Candidates(const StepProblem&, const CpuDevice&) const { return {""}; }

std::unique_ptr<Kernel> LayerNormFamily::Create(const StepProblem& problem, const std::string& tactic,
                                                const CpuDevice& device) const {
  const std::string reason = tactic.empty() ? Supports(problem, device) : tactic;
  if (!reason.empty()) Damaged(name(), reason);
  return std::make_unique<LayerNormKernel>(dynamic_cast<const LayerNorm&>(*problem.op), problem);
}

}  // namespace tenon
