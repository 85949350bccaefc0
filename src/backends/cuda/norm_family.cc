#include "backends/cuda/norm_family.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <numeric>

#include "backends/cuda/row_source.h"
#include "backends/cuda/type_names.h"
#include "backends/operands.h"
#include "ops/norm.h"

namespace tenon::cuda {
namespace {

/// The operand broadcast to x's shape: byte strides by x's dimensions.
std::vector<int64_t> BroadcastTo(const KernelOperand& operand, size_t rank) {
  std::vector<int64_t> strides(rank, 0);
  for (size_t d = 0; d < operand.shape.size(); ++d) {
    if (operand.shape[d] != 1) strides[rank - operand.shape.size() + d] = operand.strides_bytes[d];
  }
  return strides;
}

/// A step as both ops are: sizes of x's dimensions, which of them are the rows', and every operand's strides.
struct NormDims {
  Shape sizes;
  std::vector<bool> is_row;
  std::vector<int64_t> x, y, scale, bias, mean, inverse;
  float epsilon = 0;
};

NormDims LayerDims(const LayerNorm& op, const StepProblem& problem) {
  const KernelOperand& x = problem.inputs[0];
  const size_t rank = x.shape.size();
  NormDims dims{.sizes = x.shape,
                .x = x.strides_bytes,
                .y = problem.outputs[0].strides_bytes,
                .scale = BroadcastTo(problem.inputs[1], rank),
                .bias = BroadcastTo(OperandAt(problem, 2), rank),
                .epsilon = op.epsilon};
  const auto axis = static_cast<size_t>(op.axis < 0 ? op.axis + static_cast<int64_t>(rank) : op.axis);
  for (size_t d = 0; d < rank; ++d) dims.is_row.push_back(d < axis);
  const auto moments = [&](size_t i) {
    const bool present = i < problem.outputs.size() && problem.outputs[i].present;
    return present ? problem.outputs[i].strides_bytes : std::vector<int64_t>(rank, 0);
  };
  dims.mean = moments(1);
  dims.inverse = moments(2);
  return dims;
}

/// Channels become groups and the channels of a group.
NormDims GroupDims(const GroupNorm& op, const StepProblem& problem) {
  const KernelOperand& x = problem.inputs[0];
  const int64_t per_group = x.shape[1] / op.groups;
  const auto split = [&](const std::vector<int64_t>& strides) {
    std::vector<int64_t> longer = strides;
    longer.insert(longer.begin() + 1, strides[1] * per_group);
    return longer;
  };
  const auto channels = [&](const KernelOperand& operand) {
    std::vector<int64_t> strides(x.shape.size(), 0);
    strides[1] = operand.strides_bytes[0];
    return split(strides);
  };
  NormDims dims{.sizes = x.shape,
                .x = split(x.strides_bytes),
                .y = split(problem.outputs[0].strides_bytes),
                .scale = channels(problem.inputs[1]),
                .bias = channels(problem.inputs[2]),
                .epsilon = op.epsilon};
  dims.sizes[1] = per_group;
  dims.sizes.insert(dims.sizes.begin() + 1, op.groups);
  for (size_t d = 0; d < dims.sizes.size(); ++d) dims.is_row.push_back(d < 2);
  dims.mean = dims.inverse = std::vector<int64_t>(dims.sizes.size(), 0);
  return dims;
}

NormDims DimsOf(const StepProblem& problem) {
  if (const auto* layer = dynamic_cast<const LayerNorm*>(problem.op)) return LayerDims(*layer, problem);
  return GroupDims(dynamic_cast<const GroupNorm&>(*problem.op), problem);
}

RowDims RowsOf(const NormDims& dims, const std::vector<int64_t>& strides) {
  std::vector<size_t> order(dims.sizes.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return dims.x[a] > dims.x[b]; });
  RowDims rows;
  for (const size_t d : order) (dims.is_row[d] ? rows.rows : rows.elems).Add(dims.sizes[d], strides[d]);
  return rows;
}

std::string OperandFunctions(std::string_view name, const RowDims& dims) {
  return OffsetFunction(fmt::format("{}Row", name), dims.rows) +
         OffsetFunction(fmt::format("{}Elem", name), dims.elems);
}

/// An optional output or input.
KernelPointer PointerOf(const std::vector<KernelOperand>& operands, size_t i, KernelPointer pointer) {
  return i < operands.size() && operands[i].present ? pointer : KernelPointer{};
}

}  // namespace

std::string NormFamily::Supports(const StepProblem& problem, const CudaDevice&) const {
  const bool is_layer = dynamic_cast<const LayerNorm*>(problem.op) != nullptr;
  if (!is_layer && !dynamic_cast<const GroupNorm*>(problem.op)) return "not a LayerNorm or GroupNorm";
  for (size_t i = 1; i < problem.inputs.size(); ++i) {
    const KernelOperand& operand = problem.inputs[i];
    if (operand.present && (!IsFloat(operand.dtype) || TypeSuffix(operand.dtype).empty()))
      return fmt::format("elements are {}", ToString(operand.dtype));
  }
  return WhyNoFloatRows(problem);
}

std::vector<KernelLaunch> NormFamily::Lower(const StepProblem& problem, const std::string& tactic,
                                            const CudaDevice&) const {
  CheckNoParameters(name(), tactic);
  const NormDims dims = DimsOf(problem);
  const RowDims x = RowsOf(dims, dims.x);
  const int64_t rows = x.rows.count(), elems = x.elems.count();
  const RowShares shares = ShareRows(x, SizeOf(problem.inputs[0].dtype), rows, elems);
  const KernelOperand& bias = OperandAt(problem, 2);
  std::string text = "#include \"region.cuh\"\nnamespace problem {\n";
  text +=
      fmt::format("DEVICE float Epsilon() {{ return __uint_as_float({}u); }}\n", std::bit_cast<uint32_t>(dims.epsilon));
  text += RowConstants(x, rows, elems, shares) + OperandFunctions("Out", RowsOf(dims, dims.y)) +
          OperandFunctions("Scale", RowsOf(dims, dims.scale)) + OperandFunctions("Bias", RowsOf(dims, dims.bias)) +
          OperandFunctions("Mean", RowsOf(dims, dims.mean)) + OperandFunctions("Inverse", RowsOf(dims, dims.inverse));
  text += LoadFunction("LoadX", problem.inputs[0].dtype) + LoadFunction("LoadScale", problem.inputs[1].dtype) +
          LoadFunction("LoadBias", bias.present ? bias.dtype : DType::kFloat32) +
          StoreFunction("StoreY", problem.outputs[0].dtype);
  text += "}  // namespace problem\n#include \"norm.cu\"\n";
  return {{.source = {.entry = "norm_kernel", .text = std::move(text)},
           .grid_x = BlocksOf(rows, shares.lanes),
           .threads = static_cast<unsigned>(shares.threads()),
           .pointers = {KernelPointer::Input(0), KernelPointer::Input(1),
                        PointerOf(problem.inputs, 2, KernelPointer::Input(2)), KernelPointer::Output(0),
                        PointerOf(problem.outputs, 1, KernelPointer::Output(1)),
                        PointerOf(problem.outputs, 2, KernelPointer::Output(2))}}};
}

}  // namespace tenon::cuda
