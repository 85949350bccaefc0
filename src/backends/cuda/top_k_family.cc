#include "backends/cuda/top_k_family.h"

#include <fmt/format.h>

#include <bit>

#include "backends/cuda/row_source.h"
#include "backends/cuda/type_names.h"
#include "ops/top_k.h"

namespace tenon::cuda {
namespace {

/// Entries of 8 bytes that are sorted in shared memory.
constexpr int64_t kMostTaken = 2048;
/// What else a block has in shared memory, rounded up.
constexpr int64_t kHistogramBytes = 2048;

size_t AxisOf(const StepProblem& problem) {
  const int64_t axis = dynamic_cast<const TopK&>(*problem.op).axis;
  return static_cast<size_t>(axis < 0 ? axis + static_cast<int64_t>(problem.inputs[0].shape.size()) : axis);
}

/// Rows across the axis, in the order of x's dimensions; of an output that is left out, of none.
RowDims RowsOf(const StepProblem& problem, const KernelOperand& operand) {
  RowDims dims;
  const size_t axis = AxisOf(problem);
  for (size_t d = 0; d < problem.inputs[0].shape.size(); ++d) {
    if (operand.present) (d == axis ? dims.elems : dims.rows).Add(operand.shape[d], operand.strides_bytes[d]);
  }
  return dims;
}

std::string OperandFunctions(std::string_view name, const RowDims& dims) {
  return OffsetFunction(fmt::format("{}Row", name), dims.rows) +
         OffsetFunction(fmt::format("{}Elem", name), dims.elems);
}

}  // namespace

std::string TopKFamily::Supports(const StepProblem& problem, const CudaDevice&) const {
  if (!dynamic_cast<const TopK*>(problem.op)) return "not a TopK";
  const KernelOperand& x = problem.inputs.at(0);
  if (TypeSuffix(x.dtype).empty() || x.dtype == DType::kInt64) return fmt::format("elements are {}", ToString(x.dtype));
  if (x.is_constant || x.shape.empty() || ElemCount(x.shape) == 0) return "a constant, scalar or empty input";
  if (ElemCount(x.shape) > kMostElements) return "more than 2^30 elements";
  const size_t axis = AxisOf(problem);
  for (const KernelOperand& output : problem.outputs) {
    if (output.present && (output.shape[axis] < 1 || output.shape[axis] > kMostTaken))
      return "none or over 2048 elements";
  }
  return {};
}

std::vector<KernelLaunch> TopKFamily::Lower(const StepProblem& problem, const std::string& tactic,
                                            const CudaDevice& device) const {
  CheckNoParameters(name(), tactic);
  const KernelOperand &x = problem.inputs[0], &values = problem.outputs[0];
  const KernelOperand absent, &indices = problem.outputs.size() > 1 ? problem.outputs[1] : absent;
  const RowDims in = RowsOf(problem, x);
  const int64_t k = (values.present ? values : indices).shape[AxisOf(problem)];
  const int64_t sorted = std::bit_ceil(static_cast<uint64_t>(std::max<int64_t>(k, 2)));
  const int64_t keys_bytes = 4 * in.elems.count();
  const bool in_shared = keys_bytes + 8 * sorted + kHistogramBytes <= device.limits.shared_bytes_per_block;
  std::string text = "#include \"region.cuh\"\nnamespace problem {\n";
  text += fmt::format(
      "constexpr uint32 kElems = {};\nconstexpr int kK = {}, kSorted = {};\n"
      "constexpr bool kLargest = {}, kKeysInShared = {};\n",
      in.elems.count(), k, sorted, dynamic_cast<const TopK&>(*problem.op).largest, in_shared);
  text += OperandFunctions("In", in) + OperandFunctions("Value", RowsOf(problem, values)) +
          OperandFunctions("Index", RowsOf(problem, indices));
  text += LoadFunction("LoadX", x.dtype) + StoreFunction("StoreY", x.dtype);
  text += "}  // namespace problem\n#include \"top_k.cu\"\n";
  return {{.source = {.entry = "top_k_kernel", .text = std::move(text)},
           .grid_x = static_cast<unsigned>(in.rows.count()),
           .threads = 1024,
           .shared_bytes = in_shared ? static_cast<int>(keys_bytes) : 0,
           .pointers = {KernelPointer::Input(0), values.present ? KernelPointer::Output(0) : KernelPointer{},
                        indices.present ? KernelPointer::Output(1) : KernelPointer{}}}};
}

}  // namespace tenon::cuda
