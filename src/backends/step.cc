#include "backends/step.h"

#include <map>

#include "backends/device.h"
#include "ir/text.h"
#include "ops/op_list.h"

namespace tenon {
namespace {

KernelOperand ToKernelOperand(const ProgramOperand& operand, const Program& program) {
  const bool present = operand.memory != MemoryKind::kAbsent;  // else whatever shape a file may give it
  const bool plain_constant = operand.memory == MemoryKind::kConstant;
  return {.present = present,
          .dtype = operand.dtype,
          .shape = present ? operand.shape : Shape(),
          .strides_bytes = present ? operand.strides_bytes : std::vector<int64_t>(),
          .alignment_bytes = AlignmentAt(operand.offset_bytes),
          .constant = plain_constant ? program.constants[operand.index] : Tensor(),
          .is_constant = plain_constant || operand.memory == MemoryKind::kPacked};
}

/// A step whose operands its op would not take, or that make other outputs, is damaged: kernels rely on the shapes.
void CheckOperands(const ProgramStep& step, const StepProblem& problem) {
  std::vector<TensorType> types(problem.inputs.size());
  std::vector<InferInput> inputs(problem.inputs.size());
  for (size_t i = 0; i < inputs.size(); ++i) {
    const KernelOperand& operand = problem.inputs[i];
    if (!operand.present) continue;
    types[i] = {operand.dtype, operand.shape};
    inputs[i] = {&types[i], operand.constant.is_null() ? nullptr : &operand.constant};
  }
  const std::vector<TensorType> expected = problem.op->Infer(inputs);
  bool fits = !problem.outputs.empty() && expected.size() == problem.outputs.size();
  for (size_t i = 0; fits && i < problem.outputs.size(); ++i) {
    const KernelOperand& operand = problem.outputs[i];
    fits = !operand.present || expected[i] == TensorType{operand.dtype, operand.shape};
  }
  if (!fits)
    ThrowInvalid({.what = "the engine's plan is damaged",
                  .where = "step " + step.name,
                  .got = "outputs that its op doesn't make"});
}

}  // namespace

StepDescription DescribeStep(const Program& program, const ProgramStep& step) {
  StepDescription description{.op = MakeOp(step.op)};
  if (!description.op)
    ThrowInvalid({.what = "the engine's plan is damaged", .where = "step " + step.name, .got = "op " + step.op});
  ParseAttrs(*description.op, step.attrs, &MakeOp);
  description.problem.op = description.op.get();
  for (const auto& operand : step.inputs) description.problem.inputs.push_back(ToKernelOperand(operand, program));
  for (const auto& operand : step.outputs) description.problem.outputs.push_back(ToKernelOperand(operand, program));
  CheckOperands(step, description.problem);
  return description;
}

std::string ForeignFamilies(const Program& program, std::span<const KernelFamily* const> families) {
  std::map<std::string, std::string> foreign;
  for (const ProgramStep& step : program.steps) {
    const KernelFamily* family = FindFamily(families, step.family);
    if (family && family->version() == step.family_version) continue;
    foreign[fmt::format("{} {}", step.family, step.family_version)] =
        family ? fmt::format("here {}", family->version()) : "unknown here";
  }
  std::string text;
  for (const auto& [theirs, ours] : foreign) text += fmt::format("{}{} ({})", text.empty() ? "" : ", ", theirs, ours);
  return text;
}

void CheckForeignFamilies(const Program& program, std::span<const KernelFamily* const> families) {
  const std::string foreign = ForeignFamilies(program, families);
  if (foreign.empty()) return;
  ThrowInvalid({.what = "the engine's plan was built by another version of Tenon, whose kernels differ",
                .got = "kernel families " + foreign,
                .hint = "Build it again with tenon export, or with --build from the engine itself."});
}

void CheckFirstOutput(const ProgramStep& step, const StepProblem& problem, const KernelFamily& family) {
  if (problem.outputs[0].present || family.skips_outputs()) return;
  ThrowInvalid({.what = "the engine's plan is damaged",
                .where = "step " + step.name,
                .got = fmt::format("no first output for {}, which writes it unasked", family.name())});
}

void CheckStep(const ProgramStep& step, const StepProblem& problem, const KernelFamily& family, const Device& device) {
  CheckFirstOutput(step, problem, family);
  if (const std::string reason = family.Supports(problem, device); !reason.empty()) {
    ThrowUnsupported(
        {.what = "the engine's plan doesn't run on this " + std::string(device.kind() == "cpu" ? "CPU" : "GPU"),
         .where = "step " + step.name,
         .got = reason});
  }
  // An operand inside the packed constants has no address: only a family that packs it can do without.
  for (size_t i = 0; i < step.inputs.size(); ++i) {
    if (step.inputs[i].memory != MemoryKind::kPacked || family.PacksInput(problem, i)) continue;
    ThrowInvalid({.what = "the engine's plan is damaged",
                  .where = "step " + step.name,
                  .got = fmt::format("packed operand {} for {}", i, family.name())});
  }
}

void CheckPackedBytes(const Program& program, const ProgramStep& step, size_t wanted) {
  const size_t held = step.packed < 0 ? 0 : program.packed.at(static_cast<size_t>(step.packed)).bytes().size();
  if (held >= wanted) return;
  ThrowInvalid({.what = "the engine's plan is damaged",
                .where = "step " + step.name,
                .got = fmt::format("{} bytes of packed constants", held),
                .expected = fmt::format("{}", wanted)});
}

}  // namespace tenon
