#include "backends/cuda/resize_family.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "backends/cuda/offset_source.h"
#include "backends/cuda/type_names.h"
#include "backends/operands.h"
#include "base/error.h"
#include "ops/resize.h"

namespace tenon::cuda {
namespace {

constexpr int64_t kMostTaps = 1 << 12;

/// Tap of kernels/resize.cu.
struct PackedTap {
  int32_t index;
  float weight;
};

struct ResizedAxis {
  size_t dim;
  ResizeTaps taps;
};

std::vector<ResizedAxis> ResizedAxes(const StepProblem& problem) {
  const auto& op = dynamic_cast<const Resize&>(*problem.op);
  const std::vector<ResizeAxis> all = ResolveResize(op, problem.inputs[0].shape, OperandAt(problem, 1).constant,
                                                    OperandAt(problem, 2).constant, OperandAt(problem, 3).constant);
  std::vector<ResizedAxis> resized;
  for (size_t d = 0; d < all.size(); ++d) {
    if (!all[d].IsIdentity()) resized.push_back({d, MakeResizeTaps(op, all[d])});
  }
  return resized;
}

/// As what a nearest neighbour is copied; "" where no kernel can.
std::string_view CopyType(DType dtype) {
  switch (SizeOf(dtype)) {
    case 1:
      return "Type::kUInt8";
    case 4:
      return "Type::kFloat32";
    default:
      return TypeName(dtype);
  }
}

/// Whether eight channels of every position are one aligned vector on both sides.
bool HasVectors(const StepProblem& problem, const std::vector<ResizedAxis>& axes) {
  for (const KernelOperand* operand : {&problem.inputs[0], &problem.outputs[0]}) {
    const int64_t size = SizeOf(operand->dtype), vector = std::min<int64_t>(16, 8 * size);
    if (operand->shape.size() < 2 || operand->shape[1] % 8 != 0 || operand->strides_bytes[1] != size ||
        operand->alignment_bytes < vector)
      return false;
    for (size_t d = 0; d < operand->shape.size(); ++d) {
      if (d != 1 && operand->strides_bytes[d] % vector != 0) return false;
    }
  }
  return std::none_of(axes.begin(), axes.end(), [](const ResizedAxis& axis) { return axis.dim == 1; });
}

std::string AxisText(size_t number, const ResizedAxis& axis, int64_t stride, const StridedDims& counted,
                     size_t position, int64_t table) {
  // Which output position along the axis a thread has: as an offset with stride 1 along it.
  StridedDims index = counted;
  std::fill(index.strides.begin(), index.strides.end(), 0);
  index.strides[position] = 1;
  return OffsetFunction(fmt::format("AxisIndex{}", number), index) +
         fmt::format(
             "template <>\nstruct Axis<{0}> {{\n  static constexpr int kCount = {1};\n  static constexpr int64 kStride "
             "= {2}, "
             "kTable = {3};\n  DEVICE static int64 Index(uint32 i) {{ return AxisIndex{0}(i); }}\n}};\n",
             number, axis.taps.count, stride, table);
}

}  // namespace

std::string ResizeFamily::Supports(const StepProblem& problem, const CudaDevice&) const {
  const auto* op = dynamic_cast<const Resize*>(problem.op);
  if (op == nullptr) return "not a Resize";
  const KernelOperand &x = problem.inputs.at(0), &y = problem.outputs.at(0);
  if (op->coordinates == ResizeCoordinates::kTfCropAndResize) return "tf_crop_and_resize";
  for (size_t i = 1; i < problem.inputs.size(); ++i) {
    if (problem.inputs[i].present && problem.inputs[i].constant.is_null()) return "sizes that are not constant";
  }
  const bool is_known = op->mode == ResizeMode::kNearest ? x.dtype == y.dtype && !CopyType(x.dtype).empty()
                                                         : IsFloat(x.dtype) && !TypeName(x.dtype).empty();
  if (!is_known || TypeName(y.dtype).empty() != TypeName(x.dtype).empty()) return "an element type without a kernel";
  if (x.is_constant || ElemCount(x.shape) == 0 || ElemCount(y.shape) == 0) return "a constant or empty operand";
  if (ElemCount(y.shape) > kMostElements) return "more than 2^30 elements";
  for (const ResizedAxis& axis : ResizedAxes(problem)) {
    if (axis.taps.count > kMostTaps) return "more than 4096 taps";
  }
  return {};
}

std::vector<std::byte> ResizeFamily::Pack(const StepProblem& problem, const std::string&, const CudaDevice&) const {
  std::vector<std::byte> packed;
  for (const ResizedAxis& axis : ResizedAxes(problem)) {
    for (size_t i = 0; i < axis.taps.index.size(); ++i) {
      const PackedTap tap{static_cast<int32_t>(axis.taps.index[i]), static_cast<float>(axis.taps.weight[i])};
      const auto* bytes = reinterpret_cast<const std::byte*>(&tap);
      packed.insert(packed.end(), bytes, bytes + sizeof(tap));
    }
  }
  return packed;
}

size_t ResizeFamily::PackedBytes(const StepProblem& problem, const std::string&, const CudaDevice&) const {
  size_t bytes = 0;
  for (const ResizedAxis& axis : ResizedAxes(problem)) bytes += axis.taps.index.size() * sizeof(PackedTap);
  return bytes;
}

std::vector<KernelLaunch> ResizeFamily::Lower(const StepProblem& problem, const std::string& tactic,
                                              const CudaDevice&) const {
  CheckNoParameters(name(), tactic);
  const auto& op = dynamic_cast<const Resize&>(*problem.op);
  const KernelOperand &x = problem.inputs[0], &y = problem.outputs[0];
  const bool is_copy = op.mode == ResizeMode::kNearest;
  const std::vector<ResizedAxis> axes = ResizedAxes(problem);
  const int channels = HasVectors(problem, axes) ? 8 : 1;
  const std::vector<size_t> order = DimsByStride(y);
  StridedDims in, out;
  for (const size_t d : order) {
    const int64_t step = d == 1 ? channels : 1;
    const bool is_resized = std::any_of(axes.begin(), axes.end(), [&](const ResizedAxis& a) { return a.dim == d; });
    in.Add(y.shape[d] / step, is_resized ? 0 : x.strides_bytes[d] * step);
    out.Add(y.shape[d] / step, y.strides_bytes[d] * step);
  }
  const int64_t items = out.count();
  std::string text = "#include \"elements.cuh\"\nnamespace problem {\n";
  text += fmt::format(
      "constexpr Type kIn = {}, kOut = {};\nconstexpr int kChannels = {}, kAxes = {};\nconstexpr bool kIsCopy = {};\n"
      "constexpr uint32 kElems = {};\n",
      is_copy ? CopyType(x.dtype) : TypeName(x.dtype), is_copy ? CopyType(y.dtype) : TypeName(y.dtype), channels,
      axes.size(), is_copy, items);
  text += OffsetFunction("XOffset", in) + OffsetFunction("OutOffset", out) + "template <int kIndex>\nstruct Axis;\n";
  int64_t table = 0;
  for (size_t a = 0; a < axes.size(); ++a) {
    const auto position = static_cast<size_t>(std::find(order.begin(), order.end(), axes[a].dim) - order.begin());
    text += AxisText(a, axes[a], x.strides_bytes[axes[a].dim], out, position, table);
    table += static_cast<int64_t>(axes[a].taps.index.size() * sizeof(PackedTap));
  }
  text += "}  // namespace problem\n#include \"resize.cu\"\n";
  return {{.source = {.entry = "resize_kernel", .text = std::move(text)},
           .grid_x = BlocksOf(items, 128),
           .threads = 128,
           .pointers = {KernelPointer::Input(0), KernelPointer::Packed(), KernelPointer::Output(0)}}};
}

}  // namespace tenon::cuda
