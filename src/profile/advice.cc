#include "profile/advice.h"

#include <fmt/format.h>

#include <algorithm>

namespace tenon {
namespace {

/// Of its peak: above it only less work helps.
constexpr double kNearPeak = 0.8;
/// A limit below this part of the time doesn't explain it.
constexpr double kFarFromLimit = 0.3;
/// Multiply-adds per output below which the epilogue (bias, activation, store) weighs as much as the sum.
constexpr int64_t kShortSum = 64;
/// Channels that one vector of the widest kind holds.
constexpr int64_t kVectorChannels = 16;

std::string Percent(double fraction) { return fmt::format("{:.0f}%", 100 * fraction); }

bool IsDense(const ProgramStep& step) {
  return step.op == "Conv" || step.op == "ConvTranspose" || step.op == "MatMul" || step.op == "Attention";
}

/// Shapes of a convolution from its operands; all 0 for other steps.
struct ConvShape {
  int64_t groups = 0, ic = 0, oc = 0, taps = 0;
  int64_t sum() const { return groups > 0 ? ic / groups * taps : 0; }  ///< multiply-adds per output
  bool depthwise() const { return groups > 1 && groups == ic; }
};

ConvShape ConvShapeOf(const ProgramStep& step) {
  if (step.op != "Conv" || step.inputs.size() < 2 || step.outputs.empty()) return {};
  const Shape &x = step.inputs[0].shape, &w = step.inputs[1].shape, &y = step.outputs[0].shape;
  if (x.size() < 3 || w.size() < 3 || y.size() < 3 || w[1] <= 0) return {};
  ConvShape shape{.groups = x[1] / w[1], .ic = x[1], .oc = y[1], .taps = 1};
  for (size_t d = 2; d < w.size(); ++d) shape.taps *= w[d];
  return shape;
}

/// The build's own words on why this step is not in INT8; "" when it had none.
std::string ReasonAgainstInt8(const ProgramStep& step, const AdviceContext& context) {
  const auto found = context.not_in_int8.find(step.name);
  return found == context.not_in_int8.end() ? "" : found->second;
}

/// The build's own words on why this step stays in FP32; "" when it had none.
std::string ReasonForFp32(const ProgramStep& step, const AdviceContext& context) {
  constexpr std::string_view kStays = "stays in FP32: ";
  for (const std::string& warning : context.warnings) {
    const size_t stays = warning.find(kStays);
    if (!step.name.empty() && warning.starts_with(step.name + " ") && stays != std::string::npos)
      return warning.substr(stays + kStays.size());
  }
  return {};
}

/// What a compute-bound step would gain from another type.
struct Cheaper {
  std::string_view name;  ///< "" where the machine has none
  double limit_us = 0;
};

Cheaper CheaperType(const StepReport& report, const AdviceContext& context) {
  if (!IsDense(*report.step)) return {};
  const double flops = report.step->flops;
  const MachinePeaks& peaks = context.peaks;
  if (report.step->compute == DType::kFloat32 && peaks.half_ops > peaks.fp32_ops)
    return {"half", report.work_share * flops / peaks.half_ops * 1e6};
  // Depthwise convolutions are no dot products of INT8; run-time matrices aren't quantised.
  const bool is_half = report.step->compute == DType::kBFloat16 || report.step->compute == DType::kFloat16;
  // What saves multiply-adds in half saves half as many in INT8, whose transforms are words.
  const double int8_us = std::min(1.0, 2 * report.work_share) * flops / std::max(peaks.int8_ops, 1.0) * 1e6;
  if (is_half && report.step->op == "Conv" && !ConvShapeOf(*report.step).depthwise() &&
      peaks.int8_ops > peaks.half_ops && int8_us < report.limit_us)
    return {"int8", int8_us};
  return {};
}

std::string TimeText(double us) {
  return us >= 1000 ? fmt::format("{:.2f} ms", us / 1e3) : fmt::format("{:.0f} us", us);
}

Advice OnReference(const StepReport& report) {
  return {
      .step = report.index,
      .saves_us = std::max(0.0, report.us - report.limit_us),
      .text = fmt::format("runs on the reference: no fast kernel computes this form of {}, {:.0f} times slower than "
                          "the machine's peaks allow; export the model with another op in its place",
                          report.step->op, report.us / std::max(report.limit_us, 0.01))};
}

Advice OnLaunch(const StepReport& report, const AdviceContext& context) {
  return {.step = report.index,
          .saves_us = std::max(0.0, report.us - report.limit_us),
          .text = fmt::format("short: handing a step to {} threads takes {:.1f} of its {:.1f} us; a bigger batch or "
                              "--threads {} spreads that over more work",
                              context.peaks.threads, context.peaks.launch_us, report.us,
                              std::max(1, context.peaks.threads / 2))};
}

Advice OnMemory(const StepReport& report, const AdviceContext& context) {
  Advice advice{.step = report.index, .saves_us = std::max(0.0, report.us - report.limit_us)};
  const ProgramStep& step = *report.step;
  advice.text =
      fmt::format("memory bound ({:.1f} operations per byte): {:.1f} MB at {:.1f} GB/s, {} of a copy in memory",
                  step.flops / std::max(step.bytes, 1.0), step.bytes / 1e6, report.bytes_per_s / 1e9,
                  Percent(report.of_memory_peak));
  if (const ConvShape shape = ConvShapeOf(step); shape.depthwise())
    advice.text += fmt::format("; depthwise: {} multiply-adds per value, no sum over channels", shape.taps);
  if (step.op == "Region" && report.limit_us < kFarFromLimit * report.us)
    advice.text += fmt::format(
        "; its bytes explain {} of {}, the rest is index arithmetic and functions such as exp: "
        "fewer boxes or classes shrink both",
        TimeText(report.limit_us), TimeText(report.us));
  else if (context.engine_precision == "fp32" && context.peaks.half_ops > 0)
    advice.text += "; half halves the bytes";
  else
    advice.text += "; fewer bytes help: fewer channels or a smaller input";
  return advice;
}

/// Why a convolution stays below the peak, by its shape; "" when the shape doesn't tell.
std::string ShapeReason(const ProgramStep& step) {
  const ConvShape shape = ConvShapeOf(step);
  if (shape.depthwise())
    return fmt::format(
        "depthwise: {} multiply-adds per value read, no sum over channels to keep the units busy; a "
        "narrower expansion or a full convolution may be as fast",
        shape.taps);
  if (shape.groups > 0 && shape.sum() < kShortSum)
    return fmt::format("only {} multiply-adds per output, so the epilogue weighs as much as the sum", shape.sum());
  const int64_t padded = (shape.oc + kVectorChannels - 1) / kVectorChannels * kVectorChannels;
  if (shape.groups == 1 && shape.oc * 10 < padded * 9)
    return fmt::format("{} output channels fill {} of {} vector lanes", shape.oc, shape.oc, padded);
  return {};
}

Advice OnCompute(const StepReport& report, const AdviceContext& context) {
  Advice advice{.step = report.index, .saves_us = std::max(0.0, report.us - report.limit_us)};
  const std::string_view type = PrecisionOf(report.step->compute);
  advice.text = fmt::format("compute bound at {} of the {} peak", Percent(report.of_compute_peak), type);
  const Cheaper cheaper = CheaperType(report, context);
  // The engine was meant for a cheaper type than this step has.
  const bool behind = IsDense(*report.step) && (context.engine_precision == "int8"   ? type != "int8"
                                                : context.engine_precision == "half" ? type == "fp32"
                                                                                     : false);
  if (behind && (type == "fp32" || !cheaper.name.empty())) {
    const std::string warning =
        type == "fp32" ? ReasonForFp32(*report.step, context) : ReasonAgainstInt8(*report.step, context);
    advice.text += fmt::format("; {} step inside {} engine{}", type == "fp32" ? "an FP32" : "a half",
                               context.engine_precision == "int8" ? "an int8" : "a half",
                               warning.empty() ? "" : " (" + warning + ")");
    if (!cheaper.name.empty())
      advice.text += fmt::format(": {} would lower its limit to {}", cheaper.name, TimeText(cheaper.limit_us));
    return advice;
  }
  const std::string reason = report.of_compute_peak < kNearPeak ? ShapeReason(*report.step) : "";
  if (!reason.empty())
    advice.text += "; " + reason;
  else if (report.of_compute_peak >= kNearPeak)
    advice.text += ": only fewer operations make it faster in this precision";
  else
    advice.text += fmt::format(": {} could be won at most; --effort 3 tries every tactic", TimeText(advice.saves_us));
  if (!cheaper.name.empty() && !behind) {
    advice.saves_us = std::max(0.0, report.us - cheaper.limit_us);
    advice.text +=
        fmt::format("; {} lowers its limit from {} to {}", cheaper.name == "int8" ? "--int8 --data" : cheaper.name,
                    TimeText(report.limit_us), TimeText(cheaper.limit_us));
  }
  return advice;
}

}  // namespace

Advice Advise(const StepReport& report, const AdviceContext& context) {
  switch (report.bound) {
    case Bound::kReference:
      return OnReference(report);
    case Bound::kLaunch:
      return OnLaunch(report, context);
    case Bound::kMemory:
      return OnMemory(report, context);
    case Bound::kCompute:
      break;
  }
  return OnCompute(report, context);
}

std::vector<Advice> AdviseOnDominating(std::span<const StepReport> reports, const AdviceContext& context, double share,
                                       size_t most) {
  std::vector<Advice> advice;
  double covered = 0;
  for (const StepReport& report : reports) {
    if (covered >= share || advice.size() >= most) break;
    covered += report.share;
    advice.push_back(Advise(report, context));
  }
  return advice;
}

}  // namespace tenon
