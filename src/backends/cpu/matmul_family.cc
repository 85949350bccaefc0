#include "backends/cpu/matmul_family.h"

#include <algorithm>

#include "backends/cpu/batched_gemm.h"
#include "backends/cpu/conv_lowering.h"
#include "backends/cpu/cpu_device.h"
#include "backends/cpu/gemm_lowering.h"
#include "base/error.h"
#include "ops/matmul.h"

namespace tenon {
namespace {

using namespace cpu;

/// An operand with at least two dimensions: numpy's rule for vectors gives A a row and B a column.
KernelOperand AsMatrix(const KernelOperand& operand, bool is_a) {
  KernelOperand matrix = operand;
  if (operand.shape.size() != 1) return matrix;
  const size_t at = is_a ? 0 : 1;
  matrix.shape.insert(matrix.shape.begin() + at, 1);
  matrix.strides_bytes.insert(matrix.strides_bytes.begin() + at, 0);
  return matrix;
}

/// C and residual lack the dimensions that vectors were given.
KernelOperand AsResult(const KernelOperand& operand, const StepProblem& step) {
  KernelOperand result = operand;
  const auto insert = [&](size_t at) {
    result.shape.insert(result.shape.begin() + at, 1);
    result.strides_bytes.insert(result.strides_bytes.begin() + at, 0);
  };
  if (OperandAt(step, 1).shape.size() == 1) insert(result.shape.size());
  if (OperandAt(step, 0).shape.size() == 1 && !result.shape.empty()) insert(result.shape.size() - 1);
  return result;
}

std::string LowerMatMul(const StepProblem& step, GemmProblem& problem) {
  const auto* op = dynamic_cast<const MatMul*>(step.op);
  if (op == nullptr) return "not a MatMul";
  const KernelOperand a = AsMatrix(OperandAt(step, 0), true), b = AsMatrix(OperandAt(step, 1), false);
  const KernelOperand c = AsResult(step.outputs.at(0), step);
  if (a.is_constant) return "the first operand is constant";
  if (!FitsInt(a.shape) || !FitsInt(b.shape) || !FitsInt(c.shape)) return "an empty or very large operand";
  if (a.shape.size() < 2 || b.shape.size() < 2 || c.shape.size() < 2) return "a scalar operand";
  const Shape batch(c.shape.begin(), c.shape.end() - 2);
  if (ElemCount(batch) > kMostBatches) return "too many matrices";
  const bool fits = MatrixFits(a, batch, c.shape[batch.size()], a.shape.back()) &&
                    MatrixFits(b, batch, a.shape.back(), c.shape.back());
  if (!fits) return "operands that don't fit";
  const bool is_one_b = ElemCount({b.shape.begin(), b.shape.end() - 2}) == 1;
  problem = {.m = static_cast<int>(c.shape[c.shape.size() - 2]),
             .n = static_cast<int>(c.shape.back()),
             .k = static_cast<int>(a.shape.back()),
             .a = MatricesOf(a, batch),
             .b = MatricesOf(b, batch),
             .c = MatricesOf(c, batch),
             .residual = {},
             .activation = {op->epilogue.activation, op->epilogue.alpha, op->epilogue.beta},
             .post_activation = {op->epilogue.post},
             .compute = op->epilogue.compute,
             .quantization = op->epilogue.quantization,
             .b_is_packed = b.is_constant && is_one_b};
  const KernelOperand& residual = OperandAt(step, kResidualOperand);
  if (residual.present && residual.shape != step.outputs[0].shape) return "a residual of another shape";
  if (residual.present) problem.residual = MatricesOf(AsResult(residual, step), batch);
  problem = TransposeIfNeeded(MergeBatch(problem));
  if (problem.is_transposed && (OperandAt(step, kBiasOperand).present || op->epilogue.is_int8()))
    return "a bias or scales along the rows of the output";
  ConvProblem unused;
  return LowerEpilogue(step, op->epilogue, unused);
}

GemmProblem Lowered(const StepProblem& step) {
  GemmProblem problem;
  const std::string why_not = LowerMatMul(step, problem);
  TENON_CHECK(why_not.empty(), "{}", why_not);
  return problem;
}

class MatMulKernel final : public Kernel {
 public:
  MatMulKernel(const GemmProblem& problem, const std::string& tactic, const CpuDevice& device)
      : gemm_(problem, ConvTactic::Parse(tactic), device.features),
        is_transposed_(problem.is_transposed),
        is_packed_(problem.b_is_packed),
        has_residual_(problem.residual.has_value()) {}

  int64_t work_items() const override { return gemm_.work_items(); }
  size_t scratch_bytes() const override { return gemm_.scratch_bytes(); }
  size_t packed_bytes() const override { return gemm_.packed_bytes(); }
  void Run(const KernelArgs& args, int64_t item, std::byte* scratch) const override {
    GemmArgs gemm{.a = args.inputs[0],
                  .b = is_packed_ ? nullptr : args.inputs[1],
                  .packed = args.packed,
                  .residual = has_residual_ ? args.inputs[kResidualOperand] : nullptr,
                  .c = args.outputs[0]};
    if (is_transposed_) std::swap(gemm.a, gemm.b);
    gemm_.Run(gemm, item, scratch);
  }

 private:
  BatchedGemm gemm_;
  bool is_transposed_, is_packed_, has_residual_;
};

}  // namespace

std::string MatMulFamily::Supports(const StepProblem& step, const CpuDevice& device) const {
  GemmProblem problem;
  const std::string why_not = LowerMatMul(step, problem);
  if (!why_not.empty()) return why_not;
  if (problem.compute == DType::kInt8 && !problem.b_is_packed) return "integers that are not constant";
  const bool is_float = problem.b.dtype == DType::kFloat32 || problem.b.dtype == DType::kBFloat16;
  if (!problem.b_is_packed && !is_float) return "type of the second operand";
  return WhyUnsupported(AsConv(problem), device.features);
}

std::vector<std::string> MatMulFamily::Candidates(const StepProblem& step, const CpuDevice& device) const {
  std::vector<std::string> texts;
  for (const ConvTactic& tactic : GemmCandidates(Lowered(step), device.features, device.threads))
    texts.push_back(tactic.ToString());
  return texts;
}

bool MatMulFamily::PacksInput(const StepProblem& step, size_t input) const {
  if (!OperandAt(step, input).is_constant) return false;
  return input == kBiasOperand || (input == kWeightsOperand && Lowered(step).b_is_packed);
}

std::vector<std::byte> MatMulFamily::Pack(const StepProblem& step, const std::string& tactic,
                                          const CpuDevice& device) const {
  const GemmProblem problem = Lowered(step);
  const std::vector<float> b = problem.b_is_packed ? ConstantFloats(step, kWeightsOperand) : std::vector<float>();
  return PackGemm(problem, ConvTactic::Parse(tactic), device.features, b, ConstantFloats(step, kBiasOperand),
                  ConstantFloats(step, kWeightScaleOperand));
}

Tensor MatMulFamily::Unpack(const StepProblem& step, const std::string& tactic, const CpuDevice& device,
                            std::span<const std::byte> packed, size_t input) const {
  const auto unpack = input == kWeightsOperand ? UnpackGemmB : UnpackGemmBias;
  return FloatsAsOperand(step, input, unpack(Lowered(step), ConvTactic::Parse(tactic), device.features, packed));
}

std::unique_ptr<Kernel> MatMulFamily::Create(const StepProblem& step, const std::string& tactic,
                                             const CpuDevice& device) const {
  return std::make_unique<MatMulKernel>(Lowered(step), tactic, device);
}

}  // namespace tenon
