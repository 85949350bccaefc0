#include "backends/cuda/gather_family.h"

#include <fmt/format.h>

#include "backends/cuda/offset_source.h"
#include "backends/cuda/type_names.h"
#include "backends/operands.h"
#include "ops/gather.h"
#include "ops/pad.h"

namespace tenon::cuda {
namespace {

/// How the operands move along the output's dimensions, in bytes.
struct GatherDims {
  struct Axis {
    int64_t size, stride;  ///< of x
  };
  StridedDims x, index, out;
  std::vector<Axis> axes;  ///< that indices pick along
  int64_t index_step = 0;  ///< from the index along one axis to the next

  void Add(int64_t size, int64_t x_stride, int64_t index_stride, int64_t out_stride) {
    x.Add(size, x_stride);
    index.Add(size, index_stride);
    out.Add(size, out_stride);
  }
};

size_t AxisOf(int64_t axis, const KernelOperand& x) {
  return static_cast<size_t>(axis < 0 ? axis + static_cast<int64_t>(x.shape.size()) : axis);
}

GatherDims DimsOfGather(const Gather& op, const StepProblem& problem) {
  const KernelOperand &x = problem.inputs[0], &indices = problem.inputs[1], &out = problem.outputs[0];
  const size_t axis = AxisOf(op.axis, x), rank = indices.shape.size();
  GatherDims dims;
  dims.axes = {{x.shape[axis], x.strides_bytes[axis]}};
  for (size_t d = 0; d < out.shape.size(); ++d) {
    const bool is_index = d >= axis && d < axis + rank;
    dims.Add(out.shape[d], is_index ? 0 : x.strides_bytes[d < axis ? d : d - rank + 1],
             is_index ? indices.strides_bytes[d - axis] : 0, out.strides_bytes[d]);
  }
  return dims;
}

GatherDims DimsOfGatherElements(const GatherElements& op, const StepProblem& problem) {
  const KernelOperand &x = problem.inputs[0], &indices = problem.inputs[1], &out = problem.outputs[0];
  const size_t axis = AxisOf(op.axis, x);
  GatherDims dims;
  dims.axes = {{x.shape[axis], x.strides_bytes[axis]}};
  for (size_t d = 0; d < out.shape.size(); ++d)
    dims.Add(out.shape[d], d == axis ? 0 : x.strides_bytes[d], indices.strides_bytes[d], out.strides_bytes[d]);
  return dims;
}

GatherDims DimsOfGatherND(const GatherND& op, const StepProblem& problem) {
  const KernelOperand &x = problem.inputs[0], &indices = problem.inputs[1], &out = problem.outputs[0];
  const auto batch = static_cast<size_t>(op.batch_dims), depth = static_cast<size_t>(indices.shape.back());
  const size_t lead = indices.shape.size() - 1;
  GatherDims dims{.index_step = indices.strides_bytes.back()};
  for (size_t d = 0; d < depth; ++d) dims.axes.push_back({x.shape[batch + d], x.strides_bytes[batch + d]});
  for (size_t d = 0; d < out.shape.size(); ++d) {
    const int64_t along_x = d < batch ? x.strides_bytes[d] : d < lead ? 0 : x.strides_bytes[batch + depth + d - lead];
    dims.Add(out.shape[d], along_x, d < lead ? indices.strides_bytes[d] : 0, out.strides_bytes[d]);
  }
  return dims;
}

/// Repeats are a dimension of their own, along which x stays.
GatherDims DimsOfTile(const StepProblem& problem) {
  const KernelOperand &x = problem.inputs[0], &out = problem.outputs[0];
  GatherDims dims;
  for (size_t d = 0; d < out.shape.size(); ++d) {
    dims.Add(out.shape[d] / x.shape[d], 0, 0, out.strides_bytes[d] * x.shape[d]);
    dims.Add(x.shape[d], x.strides_bytes[d], 0, out.strides_bytes[d]);
  }
  return dims;
}

GatherDims DimsOf(const StepProblem& problem) {
  if (const auto* op = dynamic_cast<const Gather*>(problem.op)) return DimsOfGather(*op, problem);
  if (const auto* op = dynamic_cast<const GatherElements*>(problem.op)) return DimsOfGatherElements(*op, problem);
  if (const auto* op = dynamic_cast<const GatherND*>(problem.op)) return DimsOfGatherND(*op, problem);
  return DimsOfTile(problem);
}

bool IsGather(const Op* op) {
  return dynamic_cast<const Gather*>(op) || dynamic_cast<const GatherElements*>(op) ||
         dynamic_cast<const GatherND*>(op);
}

std::string_view ElementType(int64_t size) {
  return size == 1 ? "uint8" : size == 2 ? "uint16" : size == 4 ? "uint32" : "uint64";
}

}  // namespace

std::string GatherFamily::Supports(const StepProblem& problem, const CudaDevice&) const {
  const bool is_gather = IsGather(problem.op);
  if (!is_gather && !dynamic_cast<const Tile*>(problem.op)) return "not a Gather or Tile";
  const KernelOperand &x = problem.inputs.at(0), &out = problem.outputs.at(0);
  if (x.shape.empty() || ElemCount(x.shape) == 0 || ElemCount(out.shape) == 0) return "a scalar or empty operand";
  if (ElemCount(out.shape) > kMostElements) return "more than 2^30 elements";
  if (!is_gather) return x.shape.size() == out.shape.size() ? "" : "operands that don't fit";
  const DType indices = OperandAt(problem, 1).dtype;
  return indices == DType::kInt64 || indices == DType::kInt32 ? "" : "a type of indices without a kernel";
}

std::vector<KernelLaunch> GatherFamily::Lower(const StepProblem& problem, const std::string& tactic,
                                              const CudaDevice&) const {
  CheckNoParameters(name(), tactic);
  const GatherDims dims = DimsOf(problem);
  const bool has_indices = IsGather(problem.op);
  std::string text = "#include \"region.cuh\"\nnamespace problem {\n";
  text += fmt::format("using Element = {};\nconstexpr uint32 kElems = {};\n",
                      ElementType(SizeOf(problem.inputs[0].dtype)), dims.out.count());
  text += fmt::format("DEVICE int64 LoadIndex(const char* p) {{ return region::Load{}(p); }}\n",
                      TypeSuffix(has_indices ? problem.inputs[1].dtype : DType::kInt64));
  text += OffsetFunction("XOffset", dims.x) + OffsetFunction("IndexOffset", dims.index) +
          OffsetFunction("OutOffset", dims.out);
  text += "}  // namespace problem\n#define FOLLOW_INDICES(at)";
  for (size_t a = 0; a < dims.axes.size(); ++a)
    text += fmt::format(" FollowIndex(offset, inside, (at) + {}, {}, {});", static_cast<int64_t>(a) * dims.index_step,
                        dims.axes[a].size, dims.axes[a].stride);
  text += "\n#include \"gather.cu\"\n";
  return {{.source = {.entry = "gather_kernel", .text = std::move(text)},
           .grid_x = BlocksOf(dims.out.count(), 128),
           .threads = 128,
           .pointers = {KernelPointer::Input(0), has_indices ? KernelPointer::Input(1) : KernelPointer{},
                        KernelPointer::Output(0)}}};
}

}  // namespace tenon::cuda
