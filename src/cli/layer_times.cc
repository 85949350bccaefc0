#include "cli/layer_times.h"

#include "base/interrupt.h"
#include "cli/random_input.h"
#include "profile/step_report.h"
#include "profile/step_times.h"

namespace tenon::cli {

nlohmann::ordered_json MeasureLayers(const Engine& engine, const Program& plan, int threads) {
  constexpr int kRuns = 20;
  std::vector<Tensor> buffers;
  std::vector<const void*> inputs;
  std::vector<void*> outputs;
  for (const TensorInfo& info : engine.inputs()) inputs.push_back(buffers.emplace_back(RandomTensor(info, 0)).raw());
  for (const TensorInfo& info : engine.outputs()) outputs.push_back(buffers.emplace_back(info.dtype, info.shape).raw());
  Context context = engine.CreateContext({.threads = threads});
  const StepTimes times = MeasureStepTimes(context, inputs, outputs, {.iterations = kRuns, .after = CheckInterrupt});
  nlohmann::ordered_json layers = nlohmann::ordered_json::array();
  for (size_t i = 0; i < plan.steps.size(); ++i) {
    const ProgramStep& step = plan.steps[i];
    layers.push_back({{"name", step.name},
                      {"op", step.op},
                      {"precision", PrecisionOf(step.compute)},
                      {"ms", times.step_us[i] / 1e3}});
  }
  return layers;
}

}  // namespace tenon::cli
