// Real models compiled for a described GPU: every step has a kernel there, the host computes none.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "backends/cuda/cuda_kernel.h"
#include "backends/step.h"
#include "base/error.h"
#include "compile/compiler.h"
#include "onnx/importer.h"
#include "support/fixtures.h"

namespace tenon::cuda {
namespace {

/// A Hopper whose kernels are chosen, not compiled: families_test.cc does that, and a model's would take minutes.
struct DescribedHopper final : CudaDevice {
  DescribedHopper() {
    name = "a Hopper of the tests";
    limits = {.capability = 90,
              .multiprocessors = 132,
              .shared_bytes_per_block = 227 << 10,
              .shared_bytes_per_multiprocessor = 228 << 10};
  }
  void AddCode(Program& program, const std::vector<StepProblem>& problems) const override {
    for (size_t i = 0; i < problems.size(); ++i) {
      const ProgramStep& step = program.steps[i];
      for (const KernelLaunch& launch : FindCudaKernelFamily(step.family)->Lower(problems[i], step.tactic, *this))
        program.code.push_back({SourceDigest(launch.source), {}});
    }
  }
};

/// The steps that run on the host, a line each.
std::string HostSteps(const EngineModel& engine) {
  std::string lines;
  for (const ProgramStep& step : engine.plans.at(0)->steps) {
    if (!FindCudaKernelFamily(step.family)->is_reference()) continue;
    lines += fmt::format("{} {}{}:", step.name, step.op, step.attrs);
    for (const auto* list : {&step.inputs, &step.outputs}) {
      lines += list == &step.outputs ? " ->" : "";
      for (const ProgramOperand& operand : *list)
        lines += fmt::format(" {}{}[{}]", ToString(operand.dtype), ToString(operand.shape),
                             fmt::join(operand.strides_bytes, ","));
    }
    lines += "\n";
  }
  return lines;
}

/// The steps that a loader refuses, or whose kernels it would miss among those that were compiled.
std::string StepsThatDoNotLoad(const EngineModel& engine, const CudaDevice& device) {
  const Program& program = *engine.plans.at(0);
  std::set<Digest> known;
  for (const ProgramCode& code : program.code) known.insert(code.source);
  std::string lines;
  for (const ProgramStep& step : program.steps) {
    const StepDescription description = DescribeStep(program, step);
    const CudaKernelFamily& family = *FindCudaKernelFamily(step.family);
    try {
      CheckStep(step, description.problem, family, device);
      CheckPackedBytes(program, step, family.PackedBytes(description.problem, step.tactic, device));
      for (const KernelLaunch& launch : family.Lower(description.problem, step.tactic, device)) {
        if (!known.contains(SourceDigest(launch.source))) lines += step.name + ": another kernel\n";
      }
    } catch (const Error& error) {
      lines += fmt::format("{}: {}\n", step.name, error.what());
    }
  }
  return lines;
}

class CudaModels : public testing::TestWithParam<const char*> {};

TEST_P(CudaModels, RunsOnTheGpuAlone) {
  const std::string name = GetParam();
  const bool is_example = name == "forklift";
  TENON_REQUIRE_FIXTURE(fixture, is_example ? "models" : "models/" + name + ".onnx");
  const std::string path = is_example ? std::string(TENON_SOURCE_DIR) + "/examples/forklift/forklift.onnx" : fixture;
  for (const Precision precision : {Precision::kFp32, Precision::kHalf}) {
    TimingCache cache;
    const CompileResult compiled =
        CompileFor(ImportOnnx(path), DescribedHopper(), {.precision = precision, .tune = {.effort = 0}}, cache);
    EXPECT_EQ(HostSteps(*compiled.engine), "") << (precision == Precision::kHalf ? "half" : "FP32");
    EXPECT_EQ(StepsThatDoNotLoad(*compiled.engine, DescribedHopper()), "");
  }
}

INSTANTIATE_TEST_SUITE_P(Fixtures, CudaModels,
                         testing::Values("yolov8n", "yolo11n", "yolo26n", "yolov5n_coco", "yolov8n-seg", "leyolo_nano",
                                         "yolox_nano", "nanodet_m_320", "forklift", "yolov8n_dynamic_quantised"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace tenon::cuda
