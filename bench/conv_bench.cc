// Convolutions of a YOLOv8 at 640x640, layer by layer, against the peak of the multiply-add instruction on this
// machine. conv_bench [f32|bf16|int8|avx2] [threads] [first|all] [n|s]: avx2 is FP32 without AVX-512; `all` times every
// candidate of the cost model, not the first alone; n and s are the sizes of the network. 3x3 layers of stride 1 show
// the Winograd convolutions beside it, * where the compiler takes one.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "backends/cpu/conv_direct.h"
#include "backends/cpu/depthwise_conv.h"
#include "backends/cpu/winograd_choice.h"
#include "ir/float16.h"
#include "yolo_layers.h"

namespace tenon::cpu {
namespace {

using Clock = std::chrono::steady_clock;

double Seconds(Clock::duration duration) { return std::chrono::duration<double>(duration).count(); }

/// Runs items of many loops on `threads` threads that spin between the loops.
class Team {
 public:
  explicit Team(int threads) : threads_(threads) {
    for (int t = 1; t < threads; ++t) workers_.emplace_back([this, t] { Work(t); });
  }
  ~Team() {
    quit_ = true;
    ++generation_;
    for (auto& worker : workers_) worker.join();
  }
  /// item(index, thread)
  void Run(int64_t items, const std::function<void(int64_t, int)>& item) {
    item_ = &item;
    items_ = items;
    next_ = 0;
    done_ = 0;
    ++generation_;
    Drain(0);
    while (done_ != threads_ - 1) {
    }
  }

 private:
  void Drain(int thread) {
    for (int64_t i; (i = next_.fetch_add(1)) < items_;) (*item_)(i, thread);
  }
  void Work(int thread) {
    for (int64_t seen = 0;;) {
      while (generation_ == seen) {
      }
      ++seen;
      if (quit_) return;
      Drain(thread);
      ++done_;
    }
  }

  int threads_;
  std::vector<std::thread> workers_;
  std::atomic<int64_t> generation_{0}, next_{0}, done_{0};
  std::atomic<bool> quit_{false};
  const std::function<void(int64_t, int)>* item_ = nullptr;
  int64_t items_ = 0;
};

/// FLOP/s of `threads` threads that do nothing but independent multiply-adds: the best of several tries.
double MeasurePeak(Team& team, int threads, Isa isa, Dot dot) {
  constexpr int kRounds = 400000, kTries = 7;
  const int accumulators = isa == Isa::kAvx512 ? 24 : 12;
  const auto code = GenerateCode(isa, [&](JitCode& c) {
    for (int i = 0; i < c.registers(); ++i) c.Zero(c.Vec(i));
    c.mov(c.rax, kRounds);
    Xbyak::Label loop;
    c.L(loop);
    for (int i = 0; i < accumulators; ++i) {
      const auto a = c.Vec(c.registers() - 1), b = c.Vec(c.registers() - 2);
      if (dot == Dot::kFloat32) c.vfmadd231ps(c.Vec(i), a, b);
      if (dot == Dot::kBFloat16) c.vdpbf16ps(c.Vec(i), a, b);
      if (dot == Dot::kInt8) c.vpdpbusd(c.Vec(i), a, b);
    }
    c.dec(c.rax);
    c.jnz(loop);
    c.vzeroupper();
    c.ret();
  });
  const auto function = code->At<void (*)()>(0);
  double best = 0;
  for (int i = 0; i < kTries; ++i) {
    const auto start = Clock::now();
    team.Run(threads, [&](int64_t, int) { function(); });
    const double flops = 2.0 * LanesOf(isa) * ChannelsPerStep(dot) * accumulators * kRounds * threads;
    best = std::max(best, flops / Seconds(Clock::now() - start));
  }
  return best;
}

const std::vector<Layer> kDepthwise = {
    {"3x3", 16, 16, 160, 3, 1, 1},     {"3x3 s2", 96, 96, 80, 3, 2, 1}, {"5x5", 96, 96, 40, 5, 1, 1},
    {"5x5 s2", 192, 192, 40, 5, 2, 1}, {"3x3", 80, 80, 80, 3, 1, 1},    {"7x7", 128, 128, 20, 7, 1, 1},
    {"5x5", 192, 192, 40, 5, 1, 1},    {"5x5", 576, 576, 20, 5, 1, 1},  {"5x5 s2", 576, 576, 40, 5, 2, 1},
};

View Dense(DType dtype, int c, int h, int w) {
  const int64_t elem = SizeOf(dtype);
  return {
      .dtype = dtype, .n_stride = elem * c * h * w, .h_stride = elem * c * w, .w_stride = elem * c, .c_stride = elem};
}

ConvProblem ProblemOf(const Layer& layer, DType dtype) {
  const int out = (layer.size - 1) / layer.stride + 1;
  ConvProblem p{.ic = layer.ic,
                .ih = layer.size,
                .iw = layer.size,
                .oc = layer.oc,
                .oh = out,
                .ow = out,
                .kh = layer.kernel,
                .kw = layer.kernel,
                .stride_h = layer.stride,
                .stride_w = layer.stride,
                .pad_top = layer.kernel / 2,
                .pad_left = layer.kernel / 2};
  p.compute = dtype == DType::kUInt8 ? DType::kInt8 : dtype;
  p.quantization = {{0.02f, 14}, {0.02f, 14}, {0.02f, 14}};
  p.input = Dense(dtype, layer.ic, layer.size, layer.size);
  if (layer.ic == 3 && dtype != DType::kUInt8) {  // the user's planar image
    p.input = {.dtype = DType::kFloat32,
               .h_stride = layer.size * 4,
               .w_stride = 4,
               .c_stride = int64_t{4} * layer.size * layer.size};
  }
  p.output = Dense(layer.head ? DType::kFloat32 : dtype, layer.oc, out, out);
  if (!layer.head) p.epilogue.activation = {Activation::kSilu};
  if (layer.residual) p.epilogue.residual = Dense(dtype, layer.oc, out, out);
  return p;
}

struct AlignedBytes {
  explicit AlignedBytes(size_t size)
      : data(static_cast<std::byte*>(std::aligned_alloc(4096, (size + 8191) / 4096 * 4096))) {}
  ~AlignedBytes() { std::free(data); }
  std::byte* data;
};

void FillRandom(std::byte* data, size_t size, DType dtype) {
  std::minstd_rand random;
  std::uniform_real_distribution<float> uniform(-1, 1);
  for (size_t i = 0; i < size / SizeOf(dtype); ++i) {
    const float value = uniform(random);
    if (dtype == DType::kFloat32) {
      std::memcpy(data + 4 * i, &value, 4);
    } else if (dtype == DType::kUInt8) {
      data[i] = static_cast<std::byte>(128 + 100 * value);
    } else {
      const BFloat16 half(value);
      std::memcpy(data + 2 * i, &half, 2);
    }
  }
}

/// Seconds of one run of the layer: the least of many. run(args) computes it with weights packed as `packed`.
template <class Run>
double TimeRuns(const ConvProblem& problem, const std::vector<std::byte>& packed, const Run& run) {
  constexpr double kSeconds = 0.06;
  const size_t in_size = problem.ic * problem.ih * problem.iw * SizeOf(problem.input.dtype);
  AlignedBytes input(in_size), output(problem.output.n_stride), residual(problem.output.n_stride);
  FillRandom(input.data, in_size, problem.input.dtype);
  FillRandom(residual.data, problem.output.n_stride, problem.output.dtype);
  AlignedBytes aligned(packed.size());
  std::memcpy(aligned.data, packed.data(), packed.size());
  const ConvArgs args{.input = input.data, .packed = aligned.data, .residual = residual.data, .outputs = {output.data}};
  double best = 1e9;
  const auto begin = Clock::now();
  for (int i = 0; i < 5 || Seconds(Clock::now() - begin) < kSeconds; ++i) {
    const auto start = Clock::now();
    run(args);
    best = std::min(best, Seconds(Clock::now() - start));
  }
  return best;
}

template <class Convolution, class Pack>
double TimeTactic(const Pack& pack, Team& team, const ConvProblem& problem, const ConvTactic& tactic,
                  const CpuFeatures& features) {
  const std::vector<float> weights(problem.WeightCount(), problem.is_int8() ? 1.0f : 0.01f), bias(problem.oc, 0.1f),
      weight_scales(problem.is_int8() ? problem.oc : 0, 0.001f);
  const auto packed = pack(problem, tactic, features, weights, bias, weight_scales, std::vector<float>());
  const Convolution conv(problem, tactic, features);
  return TimeRuns(problem, packed, [&](const ConvArgs& args) {
    team.Run(conv.work_items(), [&](int64_t item, int) { conv.Run(args, item); });
  });
}

/// The best of the first (or with `all`: of all) Winograd tactics, as text; empty where there are none.
std::string TimeWinograd(Team& team, const ConvProblem& problem, int threads, const CpuFeatures& features, bool all) {
  std::string text;
  std::mt19937 random(1);
  std::normal_distribution<float> normal(0, 0.1f);
  std::vector<float> weights(problem.WeightCount());
  for (float& w : weights) w = normal(random);
  if (problem.is_int8())
    for (float& w : weights) w = std::clamp(std::nearbyint(300 * w), -127.0f, 127.0f);
  const std::vector<float> weight_scales(problem.is_int8() ? problem.oc : 0, 0.001f);
  for (const WinogradForm form :
       {WinogradForm::kF2, WinogradForm::kF4, WinogradForm::kF4Words, WinogradForm::kF4Stride2}) {
    if (!WhyNotWinograd(problem, form, features).empty()) continue;
    auto candidates = WinogradCandidates(problem, form, features, threads);
    if (!all) candidates.resize(std::min<size_t>(candidates.size(), 10));
    const auto packed = PackWinograd(problem, features, weights, {}, weight_scales);
    const AlignedBuffer expanded = ExpandWinograd(problem, form, features, packed);
    double best = 1e9, first = 0;
    WinogradTactic winner;
    for (const WinogradTactic& tactic : candidates) {
      const WinogradConv conv(problem, form, tactic, features);
      const size_t scratch_bytes = (conv.scratch_bytes() + 127) / 64 * 64;
      AlignedBytes scratch(scratch_bytes * threads);
      const double seconds = TimeRuns(problem, packed, [&](ConvArgs args) {
        args.packed = expanded.data();
        team.Run(conv.work_items(),
                 [&](int64_t item, int thread) { conv.Run(args, item, scratch.data + thread * scratch_bytes); });
      });
      if (first == 0) first = seconds;
      if (seconds >= best) continue;
      best = seconds;
      winner = tactic;
    }
    char line[160];
    std::snprintf(line, sizeof line, "   F%d%s %8.1f us (first %8.1f) %-14s", WinogradOutputs(form),
                  PrefersWinograd(problem, form, features, weights) ? "*" : " ", best * 1e6, first * 1e6,
                  winner.ToString().c_str());
    text += line;
  }
  return text;
}

/// Seconds to generate the code of one convolution.
double TimeGeneration(const ConvProblem& problem, const ConvTactic& tactic, const CpuFeatures& features) {
  double best = 1e9;
  for (int i = 0; i < 5; ++i) {
    const auto start = Clock::now();
    const DirectConv conv(problem, tactic, features);
    best = std::min(best, Seconds(Clock::now() - start));
  }
  return best;
}

struct Timing {
  ConvTactic first, best;
  double first_seconds = 0, best_seconds = 1e9;
};

/// The first candidate, or with `all` every one.
template <class Convolution, class Pack>
Timing TimeCandidates(const Pack& pack, Team& team, const ConvProblem& problem, std::vector<ConvTactic> candidates,
                      const CpuFeatures& features, bool all) {
  if (!all) candidates.resize(1);
  Timing timing{.first = candidates.front()};
  for (const ConvTactic& tactic : candidates) {
    const double seconds = TimeTactic<Convolution>(pack, team, problem, tactic, features);
    if (tactic == timing.first) timing.first_seconds = seconds;
    if (seconds >= timing.best_seconds) continue;
    timing.best_seconds = seconds;
    timing.best = tactic;
  }
  return timing;
}

void BenchDense(Team& team, const CpuFeatures& features, DType dtype, int threads, bool all, int width) {
  const Dot dot = dtype == DType::kBFloat16 ? Dot::kBFloat16 : dtype == DType::kUInt8 ? Dot::kInt8 : Dot::kFloat32;
  const double peak_f32 = MeasurePeak(team, threads, BestIsa(features), Dot::kFloat32);
  const double peak = MeasurePeak(team, threads, BestIsa(features), dot);
  std::printf("%d threads, peak %.0f GFLOP/s (FP32 %.0f)\n", threads, peak * 1e-9, peak_f32 * 1e-9);
  double total = 0, ideal = 0, total_best = 0, generation = 0;
  for (const Layer& layer : YoloV8Layers::Make(width)) {
    const ConvProblem problem = ProblemOf(layer, dtype);
    const double own_peak = problem.input.dtype == DType::kFloat32 ? peak_f32 : peak;
    const Timing timing =
        TimeCandidates<DirectConv>(PackConv, team, problem, ConvCandidates(problem, features, threads), features, all);
    const double ideal_seconds = problem.Flops() / own_peak;
    std::printf("%-8s %3d -> %3d @%3d x%d %8.1f us %5.1f%%  %-15s", layer.name.c_str(), layer.ic, layer.oc, problem.oh,
                layer.count, timing.first_seconds * 1e6, 100 * ideal_seconds / timing.first_seconds,
                timing.first.ToString().c_str());
    std::printf(" best %8.1f us %5.1f%%  %-15s%s\n", timing.best_seconds * 1e6,
                100 * ideal_seconds / timing.best_seconds, timing.best.ToString().c_str(),
                TimeWinograd(team, problem, threads, features, all).c_str());
    total += timing.first_seconds * layer.count;
    total_best += timing.best_seconds * layer.count;
    ideal += ideal_seconds * layer.count;
    generation += TimeGeneration(problem, timing.first, features) * layer.count;
  }
  std::printf("sum %.2f ms, %.1f%% of peak; best of the candidates %.2f ms, %.1f%%; code generation %.2f ms\n",
              total * 1e3, 100 * ideal / total, total_best * 1e3, 100 * ideal / total_best, generation * 1e3);
}

/// Depthwise layers as leyolo_nano and others have them: bytes of input and output per second say more than FLOP/s.
void BenchDepthwise(Team& team, const CpuFeatures& features, DType dtype, int threads, bool all) {
  for (const Layer& layer : kDepthwise) {
    ConvProblem problem = ProblemOf(layer, dtype);
    problem.groups = layer.ic;
    const Timing timing = TimeCandidates<DepthwiseConv>(PackDepthwise, team, problem,
                                                        DepthwiseCandidates(problem, features, threads), features, all);
    const double bytes = double(problem.input.n_stride) + problem.output.n_stride;
    std::printf("depthwise %3d %dx%d s%d @%3d %8.1f us %5.1f GB/s %5.1f GFLOP/s  %-14s best %8.1f us %s\n", layer.ic,
                layer.kernel, layer.kernel, layer.stride, problem.oh, timing.first_seconds * 1e6,
                bytes / timing.first_seconds * 1e-9, problem.Flops() / timing.first_seconds * 1e-9,
                timing.first.ToString().c_str(), timing.best_seconds * 1e6, timing.best.ToString().c_str());
  }
}

}  // namespace
}  // namespace tenon::cpu

int main(int argc, char** argv) {
  const std::string type = argc > 1 ? argv[1] : "f32";
  const int threads = argc > 2 ? std::atoi(argv[2]) : 1;
  const bool all = argc > 3 && std::string(argv[3]) == "all";
  const int width = argc > 4 && std::string(argv[4]) == "s" ? 32 : 16;
  const auto dtype = type == "bf16"   ? tenon::DType::kBFloat16
                     : type == "int8" ? tenon::DType::kUInt8
                                      : tenon::DType::kFloat32;
  tenon::cpu::CpuFeatures features = tenon::cpu::DetectCpuFeatures();
  if (type == "avx2") features.avx512 = features.avx512_bf16 = false;
  tenon::cpu::Team team(std::max(threads, 1));
  tenon::cpu::BenchDense(team, features, dtype, std::max(threads, 1), all, width);
  tenon::cpu::BenchDepthwise(team, features, dtype, std::max(threads, 1), all);
}
