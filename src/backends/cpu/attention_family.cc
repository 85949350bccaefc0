#include "backends/cpu/attention_family.h"

#include "backends/cpu/attention.h"
#include "backends/cpu/conv_lowering.h"
#include "backends/cpu/cpu_device.h"
#include "backends/cpu/gemm_lowering.h"
#include "base/error.h"
#include "ops/matmul.h"

namespace tenon {
namespace {

using namespace cpu;

std::string LowerAttention(const StepProblem& step, AttentionProblem& problem) {
  const auto* op = dynamic_cast<const Attention*>(step.op);
  if (op == nullptr) return "not an Attention";
  const KernelOperand &q = OperandAt(step, 0), &k = OperandAt(step, 1), &v = OperandAt(step, 2),
                      &out = step.outputs.at(0);
  if (OperandAt(step, 3).present) return "a mask";
  for (const KernelOperand* operand : {&q, &k, &v, &out}) {
    if (operand->shape.size() < 2 || !FitsInt(operand->shape)) return "an empty or very large operand";
  }
  const Shape batch(out.shape.begin(), out.shape.end() - 2);
  if (ElemCount(batch) > kMostBatches) return "too many matrices";
  const int64_t m = out.shape[batch.size()], d = q.shape.back(), l = k.shape.back(), e = out.shape.back();
  const bool fits = MatrixFits(q, batch, m, d) && MatrixFits(k, batch, d, l) && MatrixFits(v, batch, l, e);
  if (!fits) return "operands that don't fit";
  problem = {.m = static_cast<int>(m),
             .d = static_cast<int>(d),
             .l = static_cast<int>(l),
             .e = static_cast<int>(e),
             .q = MatricesOf(q, batch),
             .k = MatricesOf(k, batch),
             .v = MatricesOf(v, batch),
             .out = MatricesOf(out, batch),
             .scale = op->scale,
             .compute = op->compute};
  return "";
}

AttentionProblem Lowered(const StepProblem& step) {
  AttentionProblem problem;
  const std::string why_not = LowerAttention(step, problem);
  TENON_CHECK(why_not.empty(), "{}", why_not);
  return problem;
}

class AttentionStep final : public Kernel {
 public:
  AttentionStep(const AttentionProblem& problem, const std::string& tactic, const CpuDevice& device)
      : kernel_(problem, ConvTactic::Parse(tactic), device.features) {}

  int64_t work_items() const override { return kernel_.work_items(); }
  size_t scratch_bytes() const override { return kernel_.scratch_bytes(); }
  void Run(const KernelArgs& args, int64_t item, std::byte* scratch) const override {
    kernel_.Run({.q = args.inputs[0], .k = args.inputs[1], .v = args.inputs[2], .out = args.outputs[0]}, item, scratch);
  }

 private:
  AttentionKernel kernel_;
};

}  // namespace

std::string AttentionFamily::Supports(const StepProblem& step, const CpuDevice& device) const {
  AttentionProblem problem;
  const std::string why_not = LowerAttention(step, problem);
  return why_not.empty() ? WhyUnsupported(problem, device.features) : why_not;
}

std::vector<std::string> AttentionFamily::Candidates(const StepProblem& step, const CpuDevice& device) const {
  std::vector<std::string> texts;
  for (const ConvTactic& tactic : AttentionCandidates(Lowered(step), device.features, device.threads))
    texts.push_back(tactic.ToString());
  return texts;
}

std::unique_ptr<Kernel> AttentionFamily::Create(const StepProblem& step, const std::string& tactic,
                                                const CpuDevice& device) const {
  return std::make_unique<AttentionStep>(Lowered(step), tactic, device);
}

}  // namespace tenon
