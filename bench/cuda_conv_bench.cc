// The convolutions of YOLOv8 on the GPU at hand: cuda_conv_bench NETWORK BATCH PRECISION [TACTICS]
// [CUBINS].
// NETWORK n or s, PRECISION f16, bf16, f32 or int8. For each layer the cost model's first TACTICS tactics of the
// kernels that multiply by warp (mma.sync) and as many of the others (wgmma, image, depthwise) are timed in a graph of
// launches of the same step, each starting early (programmatic launch); the best of either kind are timed again in
// turns, and checked; then all layers in one graph, each as often as the network has it.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <optional>
#include <thread>

#include "base/error.h"
#include "gpu/conv_cases.h"
#include "gpu/conv_runner.h"
#include "yolo_layers.h"

namespace tenon::cuda {
namespace {

enum Kind { kByWarp, kOther, kKinds };

Kind KindOf(const ConvTactic& tactic) {
  return tactic.kernel == ConvKernel::kGemm || tactic.kernel == ConvKernel::kPatch ? kByWarp : kOther;
}

DType ParsePrecision(const std::string& text) {
  for (const auto& [name, dtype] : {std::pair{"f16", DType::kFloat16},
                                    {"bf16", DType::kBFloat16},
                                    {"f32", DType::kFloat32},
                                    {"int8", DType::kInt8}})
    if (text == name) return dtype;
  ThrowInvalid({.what = "precision", .got = text, .expected = "f16, bf16, f32 or int8"});
}

ConvProblem ProblemOf(const cpu::Layer& layer, int batch, DType precision) {
  // The image and what follows from it stay in half, as in an engine.
  const bool is_image = layer.ic == 3;
  const DType compute = is_image && precision == DType::kInt8 ? DType::kFloat16 : precision;
  const DType stored = precision == DType::kInt8 ? DType::kUInt8 : precision;
  ConvProblem p = MakeProblem({.n = batch,
                               .ic = layer.ic,
                               .oc = layer.oc,
                               .h = layer.size,
                               .w = layer.size,
                               .kh = layer.kernel,
                               .kw = layer.kernel,
                               .stride = layer.stride},
                              compute, layer.head ? DType::kFloat32 : stored);
  p.activation.kind = layer.head ? Activation::kNone : Activation::kSilu;
  if (layer.residual) p.residual = p.targets[0].view;
  const int64_t row = int64_t{layer.size} * 4;
  if (is_image)
    p.input = {.dtype = DType::kFloat32,
               .n_stride = 3 * row * layer.size,
               .h_stride = row,
               .w_stride = 4,
               .c_stride = row * layer.size};
  return p;
}

/// The first `most` of each kind, in their order.
std::vector<ConvTactic> Choose(const std::vector<ConvTactic>& all, size_t most) {
  std::array<size_t, kKinds> counts{};
  std::vector<ConvTactic> chosen;
  for (const ConvTactic& tactic : all)
    if (counts[KindOf(tactic)]++ < most) chosen.push_back(tactic);
  return chosen;
}

struct Timed {
  ConvTactic tactic;
  ConvRunner::Step step;
  double us;
};

struct LayerResult {
  cpu::Layer layer;
  std::unique_ptr<ConvRunner> runner;
  std::array<std::optional<Timed>, kKinds> best;
  double first_us = 0;  ///< of the cost model's favourite

  const Timed* Fastest() const {
    const Timed* fastest = nullptr;
    for (const auto& timed : best)
      if (timed && (fastest == nullptr || timed->us < fastest->us)) fastest = &*timed;
    return fastest;
  }
};

double MovedBytes(const ConvProblem& p) {
  const double pixels = static_cast<double>(p.rows()) * p.oc;
  double bytes = static_cast<double>(p.n) * p.ih * p.iw * p.ic * static_cast<double>(SizeOf(p.input.dtype)) +
                 static_cast<double>(p.oc) * p.group_ic() * p.taps() * p.element_bytes();
  bytes += pixels * static_cast<double>(SizeOf(p.targets[0].view.dtype)) * (p.residual ? 2 : 1);
  return bytes;
}

/// The best of each kind again, in turns: the median of each, as neighbours in time.
void TimeInTurns(LayerResult& result, int launches) {
  constexpr int kRounds = 5;
  std::array<std::vector<double>, kKinds> times;
  for (int round = 0; round < kRounds; ++round)
    for (size_t kind = 0; kind < kKinds; ++kind)
      if (result.best[kind])
        times[kind].push_back(result.runner->TimeUs(result.best[kind]->step, LaunchOrder::kProgrammatic, launches, 9));
  for (size_t kind = 0; kind < kKinds; ++kind) {
    if (!result.best[kind]) continue;
    std::sort(times[kind].begin(), times[kind].end());
    result.best[kind]->us = times[kind][kRounds / 2];
  }
}

LayerResult Tune(GpuLab& lab, const cpu::Layer& layer, const ConvProblem& problem,
                 const std::vector<ConvTactic>& tactics, std::span<const Cubin> cubins, int& failed) {
  LayerResult result{.layer = layer, .runner = std::make_unique<ConvRunner>(lab, problem)};
  const int launches = problem.n >= 8 ? 5 : 20;
  for (size_t i = 0; i < tactics.size(); ++i) {
    auto step = result.runner->Prepare(tactics[i], cubins[i]);
    const double us = result.runner->TimeUs(step, LaunchOrder::kProgrammatic, launches, 5);
    if (i == 0) result.first_us = us;
    fmt::print(stderr, "{} {} {} {} {} {:.2f} {}\n", layer.name, problem.ih, problem.ic, problem.oc, problem.kh, us,
               tactics[i].ToString());
    std::optional<Timed>& best = result.best[KindOf(tactics[i])];
    if (!best || us < best->us) {
      best.reset();
      best.emplace(Timed{tactics[i], std::move(step), us});
    }
  }
  for (const auto& best : result.best) {
    const std::string wrong = best ? result.runner->CheckValues(best->step) : "";
    if (wrong.empty()) continue;
    ++failed;
    fmt::print("FAILED {} {}: {}\n", layer.name, best->tactic.ToString(), wrong);
  }
  TimeInTurns(result, launches);
  return result;
}

void Print(const LayerResult& r) {
  const ConvProblem& p = r.runner->problem();
  const std::string shape =
      fmt::format("{}x{} {}-{} k{} s{}{}", p.ih, p.iw, p.ic, p.oc, p.kh, p.stride_h, p.residual ? " +" : "");
  const Timed& best = *r.Fastest();
  fmt::print("{:6} {:24} x{} {:9.2f} us {:6.1f} TFLOP/s {:5.0f} GB/s", r.layer.name, shape, r.layer.count, best.us,
             p.Flops() / best.us * 1e-6, MovedBytes(p) / best.us * 1e-3);
  for (const auto& timed : r.best)
    if (timed)
      fmt::print(" | {:8.2f} {} ({} regs)", timed->us, timed->tactic.ToString(), timed->step.kernel.registers());
  fmt::print(" | first {:.2f}\n", r.first_us);
}

/// All layers in one graph: those of `kind`, or the fastest.
double ChainUs(GpuLab& lab, std::vector<LayerResult>& results, LaunchOrder order, std::optional<Kind> kind) {
  const Driver& driver = lab.context.driver();
  const Graph graph(driver, lab.stream, [&] {
    for (LayerResult& r : results) {
      const Timed* timed = kind && r.best[*kind] ? &*r.best[*kind] : r.Fastest();
      for (int i = 0; i < r.layer.count; ++i) r.runner->Launch(timed->step, order);
    }
  });
  EventHandle begin = nullptr, end = nullptr;
  driver.Check(driver.api().event_create(&begin, 0), "make an event");
  driver.Check(driver.api().event_create(&end, 0), "make an event");
  std::vector<float> times;
  for (int i = 0; i < 220; ++i) {
    driver.Check(driver.api().event_record(begin, lab.stream.handle()), "record an event");
    graph.Launch(lab.stream);
    driver.Check(driver.api().event_record(end, lab.stream.handle()), "record an event");
    driver.Check(driver.api().event_synchronize(end), "finish a graph");
    float ms = 0;
    driver.Check(driver.api().event_elapsed_ms(&ms, begin, end), "time a graph");
    if (i >= 20) times.push_back(ms);
  }
  std::sort(times.begin(), times.end());
  return 1000.0 * times[times.size() / 2];
}

void PrintSums(GpuLab& lab, std::vector<LayerResult>& results, int batch) {
  double sum = 0, by_warp = 0, first = 0, flops = 0;
  for (const LayerResult& r : results) {
    sum += r.Fastest()->us * r.layer.count;
    by_warp += (r.best[kByWarp] ? *r.best[kByWarp] : *r.Fastest()).us * r.layer.count;
    first += r.first_us * r.layer.count;
    flops += r.runner->problem().Flops() * r.layer.count;
  }
  const double chain = ChainUs(lab, results, LaunchOrder::kProgrammatic, {}),
               serial = ChainUs(lab, results, LaunchOrder::kSerial, {}),
               chain_by_warp = ChainUs(lab, results, LaunchOrder::kProgrammatic, kByWarp);
  fmt::print(
      "sum of the layers {:.1f} us (mma.sync alone {:.1f}, the cost model's choices {:.1f}); one graph {:.1f} us "
      "programmatic, {:.1f} serial, mma.sync alone {:.1f}; {:.1f} TFLOP/s, {:.0f} images/s\n",
      sum, by_warp, first, chain, serial, chain_by_warp, flops / chain * 1e-6, batch * 1e6 / chain);
}

int Main(char** argv, int argc) {
  const int batch = std::atoi(argv[2]);
  const DType precision = ParsePrecision(argv[3]);
  const size_t most = argc > 4 ? std::strtoul(argv[4], nullptr, 10) : 12;
  GpuLab lab(argc > 5 ? argv[5] : "");
  const GpuInfo& gpu = lab.context.gpu();
  fmt::print("{}, {} SMs, CUDA {}, NVRTC {}: yolov8{} batch {} {}\n", gpu.name, gpu.multiprocessors,
             VersionText(lab.context.driver().version()), VersionText(lab.nvrtc.version()), argv[1], batch, argv[3]);
  const std::vector<cpu::Layer> layers = cpu::YoloV8Layers::Make(argv[1][0] == 'n' ? 16 : 32);
  std::vector<ConvProblem> problems;
  std::vector<std::vector<ConvTactic>> tactics;
  std::vector<KernelSource> sources;
  for (const cpu::Layer& layer : layers) {
    problems.push_back(ProblemOf(layer, batch, precision));
    const ConvProblem flat = Flatten(problems.back());
    tactics.push_back(Choose(ConvCandidates(flat, lab.limits()), most));
    for (const ConvTactic& tactic : tactics.back()) sources.push_back(MakeConvSource(flat, tactic));
  }
  const std::vector<Cubin> cubins =
      lab.nvrtc.CompileAll(sources, lab.options, static_cast<int>(std::thread::hardware_concurrency()));
  fmt::print("{} kernels\n", sources.size());
  std::vector<LayerResult> results;
  int failed = 0;
  size_t next = 0;
  for (size_t i = 0; i < layers.size(); ++i) {
    results.push_back(
        Tune(lab, layers[i], problems[i], tactics[i], std::span(cubins).subspan(next, tactics[i].size()), failed));
    next += tactics[i].size();
    Print(results.back());
  }
  PrintSums(lab, results, batch);
  return failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace tenon::cuda

int main(int argc, char** argv) {
  try {
    if (argc < 4) tenon::ThrowInvalid({.what = "arguments", .expected = "NETWORK BATCH PRECISION [TACTICS] [CUBINS]"});
    return tenon::cuda::Main(argv, argc);
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
}
