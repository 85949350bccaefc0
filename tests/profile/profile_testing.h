#pragma once
#include "profile/step_report.h"

namespace tenon {

/// Round figures: 200, 400 and 800 G operations, 20 and 100 GB per second, 1 us.
inline MachinePeaks TestPeaks() {
  return {.threads = 2,
          .fp32_ops = 200e9,
          .half_ops = 400e9,
          .int8_ops = 800e9,
          .memory_bytes = 20e9,
          .cache_bytes = 100e9,
          .launch_us = 1};
}

inline ProgramStep TestStep(std::string name, std::string op, double flops, double bytes,
                            DType compute = DType::kFloat32) {
  ProgramStep step{.name = std::move(name), .op = std::move(op), .family = "conv_direct", .tactic = "v1"};
  step.sources = {"/" + step.name, "/" + step.name + "/act"};
  step.compute = compute;
  step.flops = flops;
  step.bytes = bytes;
  return step;
}

/// A convolution with the operands that its shape is read from.
inline ProgramStep TestConv(std::string name, Shape input, Shape weights, Shape output, double flops,
                            DType compute = DType::kFloat32) {
  ProgramStep step = TestStep(std::move(name), "Conv", flops, 1000, compute);
  step.inputs = {{.memory = MemoryKind::kArena, .shape = std::move(input)},
                 {.memory = MemoryKind::kPacked, .shape = std::move(weights)}};
  step.outputs = {{.memory = MemoryKind::kArena, .shape = std::move(output)}};
  return step;
}

inline constexpr double kTestL2 = 1 << 20;

/// The report of a one-step program.
inline StepReport ReportOf(const ProgramStep& step, double us) {
  static Program program;  // the report points into it
  program.steps = {step};
  return JudgeSteps(program, {}, std::vector{us}, TestPeaks(), kTestL2)[0];
}

}  // namespace tenon
