// Time of each step of an engine: median over the runs, share of the whole, rate. Usage: step_bench ENGINE [runs]
// [threads]
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <numeric>
#include <random>

#include "base/error.h"
#include "engine/engine_file.h"
#include "ir/tensor.h"
#include "runtime/load.h"

namespace tenon {
namespace {

double Median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2), values.end());
  return values[values.size() / 2];
}

int Main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "usage: step_bench ENGINE [runs] [threads]\n");
    return 2;
  }
  const int runs = argc > 2 ? std::max(1, std::atoi(argv[2])) : 30;
  const CpuDevice device = CpuDevice::Detect();
  const auto model = ReadEngine(argv[1]);
  const auto load_start = std::chrono::steady_clock::now();
  const Engine engine = MakeCpuEngine(model, device);
  const double load_ms =
      std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - load_start).count();
  Context context = engine.CreateContext({.threads = argc > 3 ? std::atoi(argv[3]) : 0});

  std::vector<Tensor> buffers;
  std::vector<const void*> inputs;
  std::vector<void*> outputs;
  std::minstd_rand random(1);
  for (const auto& info : engine.inputs()) {
    Tensor& tensor = buffers.emplace_back(info.dtype, info.shape);
    for (int64_t i = 0; info.dtype == DType::kFloat32 && i < tensor.elems(); ++i)
      tensor.data<float>()[i] = static_cast<float>(random() % 256) / 255.0f;
    inputs.push_back(tensor.raw());
  }
  for (const auto& info : engine.outputs()) outputs.push_back(buffers.emplace_back(info.dtype, info.shape).raw());

  const auto& steps = FindPlan(*model, device)->steps;
  std::vector<std::vector<double>> times_us(steps.size());
  std::vector<double> step_us;
  for (int run = 0; run < runs + 5; ++run) {
    context.RunTimed(inputs, outputs, step_us);
    for (size_t i = 0; run >= 5 && i < steps.size(); ++i) times_us[i].push_back(step_us[i]);
  }
  std::vector<double> medians;
  for (auto& times : times_us) medians.push_back(Median(times));
  const double total_us = std::accumulate(medians.begin(), medians.end(), 0.0);
  fmt::print("{}, {} threads, {} runs, kernels ready in {:.1f} ms\n", device.Fingerprint(), context.threads(), runs,
             load_ms);
  fmt::print("{:>4} {:>9} {:>6} {:>8}  {:<12} {:<24} {}\n", "step", "us", "share", "GFLOP/s", "op", "tactic", "name");
  for (size_t i = 0; i < steps.size(); ++i) {
    fmt::print("{:>4} {:>9.1f} {:>5.1f}% {:>8.1f}  {:<12} {:<24} {}\n", i, medians[i], 100 * medians[i] / total_us,
               steps[i].flops / medians[i] / 1e3, steps[i].op, steps[i].family + " " + steps[i].tactic, steps[i].name);
  }
  const double flops = std::accumulate(steps.begin(), steps.end(), 0.0,
                                       [](double sum, const ProgramStep& step) { return sum + step.flops; });
  fmt::print("sum of medians {:.2f} ms, {:.2f} GFLOP, {:.1f} GFLOP/s\n", total_us / 1e3, flops / 1e9,
             flops / total_us / 1e3);
  return 0;
}

}  // namespace
}  // namespace tenon

int main(int argc, char** argv) {
  try {
    return tenon::Main(argc, argv);
  } catch (const tenon::Error& error) {
    fmt::print(stderr, "error: {}\n", error.what());
    return static_cast<int>(error.code());
  }
}
