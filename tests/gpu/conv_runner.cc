#include "gpu/conv_runner.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <random>

#include "base/error.h"
#include "base/hash.h"
#include "gpu/reference_kernels.h"

namespace tenon::cuda {
namespace {

constexpr unsigned char kPoison = 0xff;  // NaN in every float type

int TypeIndex(DType dtype) {
  return dtype == DType::kFloat32 ? 0 : dtype == DType::kFloat16 ? 1 : dtype == DType::kBFloat16 ? 2 : 3;
}

GpuKernel CompileReference(const GpuContext& context, const Nvrtc& nvrtc, const CompileOptions& options,
                           const std::string& entry) {
  const Cubin cubin = nvrtc.Compile({.entry = entry, .text = kReferenceKernels}, options);
  return GpuKernel(context.driver(), cubin.code, entry, 0);
}

ReferenceView Reference(const View& view, DevicePtr base, int scale = 1) {
  return {base, view.n_stride, view.h_stride, view.w_stride, view.c_stride, TypeIndex(view.dtype), scale};
}

unsigned Blocks(int64_t items) { return static_cast<unsigned>((items + 255) / 256); }

/// Tactics with the same have the same results.
std::pair<ConvKernel, int> SumOrderOf(const ConvTactic& tactic) {
  return {tactic.kernel == ConvKernel::kPatch ? ConvKernel::kGemm : tactic.kernel, tactic.split_k};
}

/// Rounding of the stored type, and what FP32 sums and fast activations may add.
double RelativeTolerance(DType dtype) {
  return (dtype == DType::kFloat16 ? 1.0 / 2048 : dtype == DType::kBFloat16 ? 1.0 / 256 : 0) + 2e-5;
}

}  // namespace

View ChannelsLast(DType dtype, int64_t h, int64_t w, int64_t channels) {
  const int64_t pixel = channels * SizeOf(dtype);
  return {
      .dtype = dtype, .n_stride = pixel * w * h, .h_stride = pixel * w, .w_stride = pixel, .c_stride = SizeOf(dtype)};
}

GpuLab::GpuLab(std::string cache_folder)
    : context(Driver::Get()),
      nvrtc(Nvrtc::Get()),
      options{.capability = context.gpu().capability, .cache_folder = std::move(cache_folder)},
      stream(context.driver()),
      check(CompileReference(context, nvrtc, options, "check_conv")),
      fill(CompileReference(context, nvrtc, options, "fill")) {}

DeviceLimits GpuLab::limits() const {
  const GpuInfo& gpu = context.gpu();
  return {gpu.capability, gpu.multiprocessors, gpu.shared_bytes_per_block, gpu.shared_bytes_per_multiprocessor};
}

ConvRunner::ConvRunner(GpuLab& lab, const ConvProblem& problem)
    : lab_(lab), problem_(problem), flat_(Flatten(problem)) {
  const ConvProblem& p = problem_;
  buffers_.push_back(MakeBuffer(p.input, p.n, p.ih, p.iw, p.ic));
  FillRandom(buffers_.back(), p.input.dtype, 1);
  arguments_.input = buffers_.back().address() + kGuardBytes;
  if (p.residual) {
    buffers_.push_back(MakeBuffer(*p.residual, p.n, p.oh, p.ow, p.oc));
    FillRandom(buffers_.back(), p.residual->dtype, 2);
    arguments_.residual = buffers_.back().address() + kGuardBytes;
  }
  for (size_t t = 0; t < p.targets.size(); ++t) {
    const int64_t scale = p.targets[t].scale;
    outputs_.push_back(MakeBuffer(p.targets[t].view, p.n, p.oh * scale, p.ow * scale, p.oc));
    arguments_.targets[t] = outputs_.back().address() + kGuardBytes;
  }
  MakeWeights();
}

DeviceBuffer ConvRunner::MakeBuffer(const View& view, int64_t n, int64_t h, int64_t w, int64_t c) {
  const int64_t span = (n - 1) * view.n_stride + (h - 1) * view.h_stride + (w - 1) * view.w_stride +
                       (c - 1) * view.c_stride + SizeOf(view.dtype);
  return DeviceBuffer(lab_.context.driver(), static_cast<size_t>(span + 2 * kGuardBytes), "a test's operand");
}

void ConvRunner::FillRandom(const DeviceBuffer& buffer, DType dtype, unsigned seed) {
  FillParams params{buffer.address(), static_cast<int64_t>(buffer.size_bytes()) / SizeOf(dtype), TypeIndex(dtype),
                    seed};
  lab_.stream.Launch(lab_.fill, {.grid_x = Blocks(params.count), .block_x = 256}, LaunchOrder::kSerial, &params);
}

void ConvRunner::MakeWeights() {
  const ConvProblem& p = problem_;
  std::mt19937 random(7);
  std::uniform_real_distribution<float> unit(-1, 1);
  const int per_channel = p.group_ic() * p.taps();
  const float spread = p.is_int8() ? 127.0f : std::sqrt(3.0f / static_cast<float>(per_channel));
  weights_.resize(static_cast<size_t>(p.oc) * static_cast<size_t>(per_channel));
  for (float& w : weights_) w = p.is_int8() ? std::round(unit(random) * spread) : unit(random) * spread;
  for (int i = 0; i < p.oc; ++i) bias_.push_back(unit(random));
  for (int i = 0; i < p.oc; ++i)
    scales_.push_back((1.5f + unit(random)) / 127 / std::sqrt(static_cast<float>(per_channel)));
  const auto upload = [&](const std::vector<float>& values) {
    buffers_.emplace_back(lab_.context.driver(), values.size() * 4, "a test's weights");
    buffers_.back().CopyFrom(std::as_bytes(std::span(values)));
    return buffers_.back().address();
  };
  weights_address_ = upload(weights_);
  bias_address_ = upload(bias_);
  scales_address_ = upload(scales_);
}

ConvRunner::Step ConvRunner::Prepare(const ConvTactic& tactic, const Cubin& cubin) {
  auto& packed = packed_[tactic.kernel];
  if (!packed) {
    const std::vector<std::byte> bytes = PackConv(flat_, tactic, {weights_, bias_, scales_});
    packed = std::make_unique<DeviceBuffer>(lab_.context.driver(), bytes.size(), "packed weights");
    packed->CopyFrom(bytes);
  }
  const LaunchShape shape = LaunchShapeOf(flat_, tactic);
  const std::string entry = MakeConvSource(flat_, tactic).entry;
  return {GpuKernel(lab_.context.driver(), cubin.code, entry, shape.shared_bytes), shape, packed->address()};
}

void ConvRunner::Launch(const Step& step, LaunchOrder order) {
  Arguments arguments = arguments_;
  arguments.packed = step.packed;
  const LaunchShape& s = step.shape;
  lab_.stream.Launch(step.kernel,
                     {.grid_x = static_cast<unsigned>(s.grid_x),
                      .grid_y = static_cast<unsigned>(s.grid_y),
                      .block_x = static_cast<unsigned>(s.threads),
                      .shared_bytes = static_cast<unsigned>(s.shared_bytes)},
                     order, &arguments);
}

void ConvRunner::RunPoisoned(const Step& step) {
  for (const DeviceBuffer& output : outputs_) output.Fill(kPoison);
  lab_.context.driver().Check(lab_.context.driver().api().context_synchronize(), "finish a fill");
  Launch(step, LaunchOrder::kSerial);
  lab_.stream.Synchronize();
}

std::vector<std::byte> ConvRunner::RunOnce(const Step& step) {
  RunPoisoned(step);
  std::vector<std::byte> all;
  for (const DeviceBuffer& output : outputs_) {
    const size_t begin = all.size();
    all.resize(begin + output.size_bytes());
    output.CopyTo(std::span(all).subspan(begin));
  }
  return all;
}

bool ConvRunner::IsPoisonKept(std::span<const std::byte> bytes) const {
  const ConvProblem& p = problem_;
  size_t begin = 0;
  for (size_t t = 0; t < p.targets.size(); ++t) {
    const View& view = p.targets[t].view;
    const int64_t scale = p.targets[t].scale, row = p.oc * SizeOf(view.dtype);
    std::vector<bool> is_output(outputs_[t].size_bytes());
    for (int64_t n = 0; n < p.n; ++n)
      for (int64_t y = 0; y < p.oh * scale; ++y)
        for (int64_t x = 0; x < p.ow * scale; ++x) {
          const int64_t at = kGuardBytes + n * view.n_stride + y * view.h_stride + x * view.w_stride;
          std::fill_n(is_output.begin() + at, row, true);
        }
    for (size_t i = 0; i < is_output.size(); ++i)
      if (!is_output[i] && bytes[begin + i] != std::byte{kPoison}) return false;
    begin += outputs_[t].size_bytes();
  }
  return true;
}

std::string ConvRunner::Compare() {
  const ConvProblem& p = problem_;
  DeviceBuffer report(lab_.context.driver(), 16, "a report");
  report.Fill(0);
  CheckParams params{p.n,  p.ic,       p.ih,       p.iw,         p.oc,         p.oh,      p.ow,       p.kh,
                     p.kw, p.stride_h, p.stride_w, p.dilation_h, p.dilation_w, p.pad_top, p.pad_left, p.groups};
  params.is_int8 = p.is_int8();
  params.activation = static_cast<int>(p.activation.kind);
  params.post = static_cast<int>(p.post);
  params.has_residual = p.residual.has_value();
  params.targets = static_cast<int>(p.targets.size());
  params.compute = TypeIndex(p.compute);
  params.alpha = p.activation.alpha;
  params.beta = p.activation.beta;
  const Quantization& q = p.quantization;
  params.x_scale = q.x.scale, params.x_zero = static_cast<float>(q.x.zero_point);
  params.residual_scale = q.residual.scale, params.residual_zero = static_cast<float>(q.residual.zero_point);
  params.y_scale = q.y.scale, params.y_zero = static_cast<float>(q.y.zero_point);
  params.input = Reference(p.input, arguments_.input);
  if (p.residual) params.residual = Reference(*p.residual, arguments_.residual);
  for (size_t t = 0; t < p.targets.size(); ++t)
    params.target[t] = Reference(p.targets[t].view, arguments_.targets[t], p.targets[t].scale);
  params.weights = weights_address_, params.bias = bias_address_, params.weight_scales = scales_address_;
  params.relative = RelativeTolerance(p.targets[0].view.dtype);
  params.per_product = 1.0 / (1 << 20);
  params.report = report.address();
  const int64_t outputs = p.rows() * p.oc;
  lab_.stream.Launch(lab_.check, {.grid_x = Blocks(outputs), .block_x = 256}, LaunchOrder::kSerial, &params);
  lab_.stream.Synchronize();
  unsigned found[4] = {};
  report.CopyTo(std::as_writable_bytes(std::span(found)));
  worst_ratio_ = std::max(worst_ratio_, std::bit_cast<float>(found[0]));
  off_by_one_ = std::max(off_by_one_, found[2]);
  if (found[1] != 0)
    return fmt::format("{} of {} elements wrong (error up to {:.3g} of what is allowed)", found[1], outputs,
                       std::bit_cast<float>(found[0]));
  // A byte at a rounding border may fall to either side: rare, or something is wrong.
  if (found[2] > outputs / 500 + 1) return fmt::format("{} of {} bytes off by one", found[2], outputs);
  return {};
}

std::string ConvRunner::CheckValues(const Step& step) {
  RunPoisoned(step);
  return Compare();
}

std::string ConvRunner::Check(const Step& step, const ConvTactic& tactic) {
  const std::vector<std::byte> bytes = RunOnce(step);
  const std::string digest = HashBytes(bytes).ToString();
  auto [known, is_new] = digests_.emplace(SumOrderOf(tactic), digest);
  if (is_new) {
    if (const std::string wrong = Compare(); !wrong.empty()) {
      digests_.erase(known);
      return wrong;
    }
    constexpr size_t kMostLookedAt = 16 << 20;
    if (bytes.size() < kMostLookedAt && !IsPoisonKept(bytes)) return "bytes outside its views were written";
  }
  if (known->second != digest) {
    const std::string wrong = Compare();
    return "not the bytes that other tactics gave" + (wrong.empty() ? "" : ": " + wrong);
  }
  return HashBytes(RunOnce(step)).ToString() == digest ? "" : "other bytes the second time";
}

double ConvRunner::TimeUs(const Step& step, LaunchOrder order, int launches, int replays) {
  const Driver& driver = lab_.context.driver();
  const Graph graph(driver, lab_.stream, [&] {
    for (int i = 0; i < launches; ++i) Launch(step, order);
  });
  EventHandle begin = nullptr, end = nullptr;
  driver.Check(driver.api().event_create(&begin, 0), "make an event");
  driver.Check(driver.api().event_create(&end, 0), "make an event");
  std::vector<float> times;
  graph.Launch(lab_.stream);
  for (int i = 0; i < replays; ++i) {
    driver.Check(driver.api().event_record(begin, lab_.stream.handle()), "record an event");
    graph.Launch(lab_.stream);
    driver.Check(driver.api().event_record(end, lab_.stream.handle()), "record an event");
    driver.Check(driver.api().event_synchronize(end), "finish a graph");
    float ms = 0;
    driver.Check(driver.api().event_elapsed_ms(&ms, begin, end), "time a graph");
    times.push_back(ms);
  }
  driver.api().event_destroy(begin);
  driver.api().event_destroy(end);
  std::sort(times.begin(), times.end());
  return 1000.0 * times[times.size() / 2] / launches;
}

}  // namespace tenon::cuda
