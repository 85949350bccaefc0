#include "backends/cuda/matmul_family.h"

#include <fmt/format.h>

#include <bit>

#include "backends/cuda/conv_family.h"
#include "backends/cuda/conv_layout.h"
#include "backends/cuda/conv_source.h"
#include "backends/cuda/epilogue_lowering.h"
#include "backends/cuda/matmul_problem.h"
#include "backends/cuda/offset_source.h"
#include "backends/cuda/type_names.h"
#include "backends/operands.h"
#include "base/error.h"
#include "ops/matmul.h"

namespace tenon::cuda {
namespace {

/// The rows of all matrices as images: N x H x W of them, the dimensions that all operands walk evenly being one.
struct RowGrid {
  std::vector<int64_t> sizes;                 ///< outermost first
  std::vector<std::vector<int64_t>> strides;  ///< by operand, by dimension
};

RowGrid MergeRows(const MatMulDims& dims, const std::vector<const MatMulDims::Matrices*>& operands) {
  RowGrid grid{.sizes = {dims.m}};
  for (const auto* operand : operands) grid.strides.push_back({operand->row});
  for (size_t d = dims.batch.size(); d-- > 0;) {
    if (dims.batch[d] == 1) continue;
    bool merges = true;
    for (size_t i = 0; i < operands.size(); ++i)
      merges = merges && operands[i]->batch[d] == grid.strides[i].front() * grid.sizes.front();
    if (merges) {
      grid.sizes.front() *= dims.batch[d];
      continue;
    }
    grid.sizes.insert(grid.sizes.begin(), dims.batch[d]);
    for (size_t i = 0; i < operands.size(); ++i) grid.strides[i].insert(grid.strides[i].begin(), operands[i]->batch[d]);
  }
  return grid;
}

View RowView(const KernelOperand& operand, const std::vector<int64_t>& strides, int64_t column) {
  const size_t rank = strides.size();
  return {.dtype = operand.dtype,
          .n_stride = rank > 2 ? strides[rank - 3] : 0,
          .h_stride = rank > 1 ? strides[rank - 2] : 0,
          .w_stride = strides[rank - 1],
          .c_stride = column,
          .base_alignment = static_cast<int>(operand.alignment_bytes)};
}

std::string LowerRows(const StepProblem& step, int capability, ConvProblem& problem) {
  MatMulDims dims;
  if (std::string why_not = LowerMatMulDims(step, dims); !why_not.empty()) return why_not;
  const KernelOperand &a = step.inputs[0], &b = step.inputs[1], &residual = OperandAt(step, kResidualOperand);
  if (a.is_constant || !b.is_constant) return "B is not the one constant operand";
  if (ElemCount(b.shape) != dims.k * dims.n) return "several matrices B";
  std::vector<const MatMulDims::Matrices*> operands = {&dims.a, &dims.c};
  if (residual.present) operands.push_back(&dims.residual);
  const RowGrid grid = MergeRows(dims, operands);
  const size_t rank = grid.sizes.size();
  if (rank > 3) return "rows in more than three dimensions";
  const auto size_at = [&](size_t from_end) {
    return static_cast<int>(rank > from_end ? grid.sizes[rank - 1 - from_end] : 1);
  };
  problem = {.n = size_at(2),
             .ic = static_cast<int>(dims.k),
             .ih = size_at(1),
             .iw = size_at(0),
             .oc = static_cast<int>(dims.n),
             .oh = size_at(1),
             .ow = size_at(0),
             .input = RowView(a, grid.strides[0], dims.a.column),
             .targets = {{RowView(step.outputs[0], grid.strides[1], dims.c.column), 1}}};
  if (dims.n == 1) problem.targets[0].view.c_stride = SizeOf(step.outputs[0].dtype);
  if (residual.present) {
    problem.residual = RowView(residual, grid.strides[2], dims.residual.column);
    if (dims.n == 1) problem.residual->c_stride = SizeOf(residual.dtype);
  }
  const auto& op = dynamic_cast<const MatMul&>(*step.op);
  if (std::string why_not = LowerEpilogue(step, op.epilogue, problem); !why_not.empty()) return why_not;
  return WhyUnsupported(problem, capability);
}

ConvProblem Lowered(const StepProblem& step, const CudaDevice& device) {
  ConvProblem problem;
  const std::string why_not = LowerRows(step, device.limits.capability, problem);
  TENON_CHECK(why_not.empty(), "{}", why_not);
  return Flatten(problem);
}

/// rows x columns, transposed.
std::vector<float> Transposed(const std::vector<float>& matrix, int rows, int columns) {
  std::vector<float> transposed(matrix.size());
  for (size_t r = 0; r < static_cast<size_t>(rows); ++r) {
    for (size_t c = 0; c < static_cast<size_t>(columns); ++c)
      transposed[c * static_cast<size_t>(rows) + r] = matrix[r * static_cast<size_t>(columns) + c];
  }
  return transposed;
}

// ---- any operands

constexpr int kTile = 64;

std::string FloatText(float value) {
  return fmt::format("__builtin_bit_cast(float, {}u)", std::bit_cast<uint32_t>(value));
}

std::string MatrixText(std::string_view name, const KernelOperand& operand, const MatMulDims::Matrices& matrices,
                       const Shape& batch) {
  const StridedDims dims{batch, matrices.batch};
  return OffsetFunction(fmt::format("{}Batch", name), dims) +
         fmt::format(
             "struct {} {{\n  static constexpr Type kType = {};\n  static constexpr int64 kRow = {}, kColumn = "
             "{};\n}};\n",
             name, TypeName(operand.dtype), matrices.row, matrices.column);
}

}  // namespace

std::string MatMulFamily::Supports(const StepProblem& step, const CudaDevice& device) const {
  ConvProblem problem;
  const std::string why_not = LowerRows(step, device.limits.capability, problem);
  if (!why_not.empty()) return why_not;
  return ConvCandidates(Flatten(problem), device.limits).empty() ? "no tile fits this GPU" : "";
}

std::vector<std::string> MatMulFamily::Candidates(const StepProblem& step, const CudaDevice& device) const {
  std::vector<std::string> texts;
  for (const ConvTactic& tactic : ConvCandidates(Lowered(step, device), device.limits))
    texts.push_back(tactic.ToString());
  return texts;
}

bool MatMulFamily::PacksInput(const StepProblem& step, size_t input) const {
  return (input == kWeightsOperand || input == kBiasOperand) && OperandAt(step, input).is_constant;
}

std::vector<std::byte> MatMulFamily::Pack(const StepProblem& step, const std::string& tactic,
                                          const CudaDevice& device) const {
  const ConvProblem problem = Lowered(step, device);
  const std::vector<float> weights = Transposed(ConstantFloats(step, kWeightsOperand), problem.ic, problem.oc),
                           bias = ConstantFloats(step, kBiasOperand),
                           scales = ConstantFloats(step, kWeightScaleOperand);
  return PackConv(problem, ConvTactic::Parse(tactic), {weights, bias, scales});
}

size_t MatMulFamily::PackedBytes(const StepProblem& step, const std::string& tactic, const CudaDevice& device) const {
  return static_cast<size_t>(ConvLayout::Of(Lowered(step, device), ConvTactic::Parse(tactic).kernel).total_bytes);
}

Tensor MatMulFamily::Unpack(const StepProblem& step, const std::string& tactic, const CudaDevice& device,
                            std::span<const std::byte> packed, size_t input) const {
  const ConvProblem problem = Lowered(step, device);
  const ConvTactic parsed = ConvTactic::Parse(tactic);
  if (input == kBiasOperand) return FloatsAsOperand(step, input, UnpackConvBias(problem, parsed, packed));
  return FloatsAsOperand(step, input, Transposed(UnpackConvWeights(problem, parsed, packed), problem.oc, problem.ic));
}

std::vector<KernelLaunch> MatMulFamily::Lower(const StepProblem& step, const std::string& tactic,
                                              const CudaDevice& device) const {
  return {LaunchConv(Lowered(step, device), ConvTactic::Parse(tactic), device.limits)};
}

std::string BatchedMatMulFamily::Supports(const StepProblem& step, const CudaDevice&) const {
  MatMulDims dims;
  if (std::string why_not = LowerMatMulDims(step, dims); !why_not.empty()) return why_not;
  const Epilogue& epilogue = dynamic_cast<const MatMul&>(*step.op).epilogue;
  if (epilogue.is_int8()) return "integers";
  for (const auto* operands : {&step.inputs, &step.outputs}) {
    for (const KernelOperand& operand : *operands) {
      if (!operand.present) continue;
      if (TypeName(operand.dtype).empty()) return fmt::format("elements are {}", ToString(operand.dtype));
    }
  }
  if (TypeName(epilogue.compute).empty()) return "a precision without a kernel";
  if (ElemCount(dims.batch) > 65535) return "more than 65535 matrices";
  return (dims.m + kTile - 1) / kTile > 65535 ? "too many rows" : "";
}

std::vector<KernelLaunch> BatchedMatMulFamily::Lower(const StepProblem& step, const std::string& tactic,
                                                     const CudaDevice&) const {
  CheckNoParameters(name(), tactic);
  MatMulDims dims;
  const std::string why_not = LowerMatMulDims(step, dims);
  TENON_CHECK(why_not.empty(), "{}", why_not);
  const Epilogue& epilogue = dynamic_cast<const MatMul&>(*step.op).epilogue;
  const KernelOperand &bias = OperandAt(step, kBiasOperand), &residual = OperandAt(step, kResidualOperand);
  std::string text = "#include \"activation.cuh\"\n#include \"elements.cuh\"\nnamespace problem {\n";
  text += fmt::format("constexpr int kM = {}, kN = {}, kK = {};\nconstexpr Type kCompute = {};\n", dims.m, dims.n,
                      dims.k, TypeName(epilogue.compute));
  text += MatrixText("A", step.inputs[0], dims.a, dims.batch) + MatrixText("B", step.inputs[1], dims.b, dims.batch) +
          MatrixText("C", step.outputs[0], dims.c, dims.batch);
  text += MatrixText("R", residual.present ? residual : step.outputs[0], residual.present ? dims.residual : dims.c,
                     dims.batch);
  text += fmt::format(
      "constexpr bool kHasBias = {}, kHasResidual = {};\nconstexpr Type kBias = {};\nconstexpr int64 kBiasStep = {};\n",
      bias.present, residual.present, TypeName(bias.present ? bias.dtype : DType::kFloat32),
      bias.present ? bias.strides_bytes[0] : 0);
  text += fmt::format(
      "constexpr Activation kActivation = Activation({}), kPost = Activation({});\nconstexpr float kAlpha = {}, kBeta "
      "= {}, "
      "kOutInverse = {}, kOutZero = {};\n",
      static_cast<int>(epilogue.activation), static_cast<int>(epilogue.post), FloatText(epilogue.alpha),
      FloatText(epilogue.beta), FloatText(1.0f / epilogue.quantization.y.scale),
      FloatText(static_cast<float>(epilogue.quantization.y.zero_point)));
  text += "}  // namespace problem\n#include \"matmul.cu\"\n";
  return {{.source = {.entry = "matmul_kernel", .text = std::move(text)},
           .grid_x = BlocksOf(dims.n, kTile),
           .grid_y = BlocksOf(dims.m, kTile),
           .grid_z = static_cast<unsigned>(ElemCount(dims.batch)),
           .threads = 256,
           .pointers = {KernelPointer::Input(0), KernelPointer::Input(1),
                        bias.present ? KernelPointer::Input(kBiasOperand) : KernelPointer{},
                        residual.present ? KernelPointer::Input(kResidualOperand) : KernelPointer{},
                        KernelPointer::Output(0)}}};
}

}  // namespace tenon::cuda
