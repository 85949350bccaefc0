#include "backends/cpu/reference_family.h"

#include "backends/strided.h"

namespace tenon {
namespace {

class ReferenceKernel final : public Kernel {
 public:
  explicit ReferenceKernel(const StepProblem& problem)
      : op_(problem.op->Clone()), inputs_(problem.inputs), outputs_(problem.outputs) {}
  int64_t work_items() const override { return 1; }

  void Run(const KernelArgs& args, int64_t, std::byte*) const override {
    std::vector<Tensor> operands;
    for (size_t i = 0; i < inputs_.size(); ++i) {
      operands.push_back(inputs_[i].present ? GatherOperand(inputs_[i], args.inputs[i]) : Tensor());
    }
    const std::vector<Tensor> results = op_->Evaluate(operands);
    for (size_t i = 0; i < outputs_.size(); ++i) {
      if (outputs_[i].present) ScatterOperand(results.at(i), outputs_[i], args.outputs[i]);
    }
  }

 private:
  std::unique_ptr<Op> op_;
  std::vector<KernelOperand> inputs_, outputs_;
};

}  // namespace

std::string ReferenceFamily::Supports(const StepProblem&, const CpuDevice&) const { return {}; }
std::vector<std::string> ReferenceFamily::Candidates(const StepProblem&, const CpuDevice&) const { return {""}; }

std::unique_ptr<Kernel> ReferenceFamily::Create(const StepProblem& problem, const std::string&,
                                                const CpuDevice&) const {
  return std::make_unique<ReferenceKernel>(problem);
}

}  // namespace tenon
