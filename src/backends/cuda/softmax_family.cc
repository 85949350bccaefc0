#include "backends/cuda/softmax_family.h"

#include <fmt/format.h>

#include "backends/cuda/row_source.h"
#include "ops/reduce.h"

namespace tenon::cuda {

std::string SoftmaxFamily::Supports(const StepProblem& problem, const CudaDevice&) const {
  if (!dynamic_cast<const Softmax*>(problem.op)) return "not a Softmax";
  if (problem.inputs.at(0).shape.empty()) return "a scalar";
  return WhyNoFloatRows(problem);
}

std::vector<KernelLaunch> SoftmaxFamily::Lower(const StepProblem& problem, const std::string& tactic,
                                               const CudaDevice&) const {
  CheckNoParameters(name(), tactic);
  const auto& op = dynamic_cast<const Softmax&>(*problem.op);
  const KernelOperand &x = problem.inputs[0], &y = problem.outputs[0];
  const auto axis = static_cast<size_t>(op.axis < 0 ? op.axis + static_cast<int64_t>(x.shape.size()) : op.axis);
  RowDims in, out;
  for (const size_t d : DimsByStride(x)) {
    (d == axis ? in.elems : in.rows).Add(x.shape[d], x.strides_bytes[d]);
    (d == axis ? out.elems : out.rows).Add(x.shape[d], y.strides_bytes[d]);
  }
  const int64_t rows = in.rows.count(), elems = in.elems.count();
  const RowShares shares = ShareRows(in, SizeOf(x.dtype), rows, elems);
  std::string text = "#include \"region.cuh\"\nnamespace problem {\n";
  text += fmt::format("constexpr bool kIsLog = {};\n", op.log) + RowConstants(in, rows, elems, shares);
  text += OffsetFunction("OutRow", out.rows) + OffsetFunction("OutElem", out.elems);
  text += LoadFunction("LoadX", x.dtype) + StoreFunction("StoreY", y.dtype);
  text += "}  // namespace problem\n#include \"softmax.cu\"\n";
  return {{.source = {.entry = "softmax_kernel", .text = std::move(text)},
           .grid_x = BlocksOf(rows, shares.lanes),
           .threads = static_cast<unsigned>(shares.threads()),
           .pointers = {KernelPointer::Input(0), KernelPointer::Output(0)}}};
}

}  // namespace tenon::cuda
