#pragma once
#include <memory>
#include <span>
#include <string>

#include "backends/kernel.h"
#include "engine/program.h"

namespace tenon {

/// A step's op and operands as kernels take them, its plain constants too. The op is made anew from its text. Throws
/// Error(kInvalidInput) when the op wouldn't take the operands. `program` must have passed ValidateProgram.
struct StepDescription {
  std::unique_ptr<Op> op;
  StepProblem problem;
};
StepDescription DescribeStep(const Program& program, const ProgramStep& step);

/// The program's kernel families that this version of Tenon doesn't have as they were when it was built, as text
/// ("conv_direct 3 (here 2), fft 1 (unknown here)"); empty when the program is current.
std::string ForeignFamilies(const Program& program, std::span<const KernelFamily* const> families);
/// Throws Error(kInvalidInput) that names them when there are some.
void CheckForeignFamilies(const Program& program, std::span<const KernelFamily* const> families);

/// Throws Error(kInvalidInput) when the step has no first output and the family needs one: to be asked before the
/// family is whether it takes the step.
void CheckFirstOutput(const ProgramStep& step, const StepProblem& problem, const KernelFamily& family);
/// What a loader checks of a step before its kernel is made. Throws Error(kUnsupportedDevice) when the family can't
/// compute it on the device, Error(kInvalidInput) when it doesn't pack what the plan has packed.
void CheckStep(const ProgramStep& step, const StepProblem& problem, const KernelFamily& family, const Device& device);
/// Throws Error(kInvalidInput) when the step has fewer packed bytes than its kernel reads.
void CheckPackedBytes(const Program& program, const ProgramStep& step, size_t wanted);

}  // namespace tenon
