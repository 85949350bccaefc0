#include "quantize/int8_report.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace tenon {
namespace {

std::string Why(const KeptLayer& layer, double noise_of_all) {
  std::string text;
  if (layer.reason == KeptLayer::Reason::kTime) {
    text = "INT8 is no faster";
  } else {
    text = fmt::format("noise {:.4f} by itself, {:.0f}% of that of all", layer.noise.value_or(0),
                       100 * layer.noise.value_or(0) / std::max(noise_of_all, 1e-12));
  }
  text += fmt::format(", {:.2f}% of the FLOPs", 100 * layer.flops_share);
  if (layer.int8_us && layer.half_us)
    text += fmt::format("; {:.0f} us, in half {:.0f}", *layer.int8_us, *layer.half_us);
  return text;
}

nlohmann::ordered_json OrNull(const std::optional<double>& value, double scale = 1) {
  return value ? nlohmann::ordered_json(*value * scale) : nlohmann::ordered_json(nullptr);
}

}  // namespace

std::string DescribeInt8(const Int8Facts& facts) {
  const Assignment& chosen = facts.assignment;
  std::string text = fmt::format(
      "  {} convs in INT8, {:.1f}% of the FLOPs; noise {:.4f} of the final tensors' variance ({:.4f} with all convs)\n"
      "  calibrated on {} images of {} {} with {}; weights rounded: {}; {} tensors equalised",
      chosen.int8.size(), 100 * chosen.flops_share, chosen.noise, chosen.noise_of_all, facts.images,
      facts.options.images.source, facts.options.images.split,
      kCalibratorNames[static_cast<size_t>(facts.options.calibrator)],
      kWeightRoundingNames[static_cast<size_t>(facts.options.weight_rounding)], facts.equalised);
  if (facts.drift)
    text +=
        fmt::format("; drift from val {:.4f} nats (KL, {:.4f} expected)", facts.drift->median, facts.drift->expected);
  text += "\n";
  if (const auto& verdict = chosen.verdict) {
    text += fmt::format(
        "  mAP50-95 on them, each half judged with the ranges of the other: {:.2f}, FP32 {:.2f}; drop {:.2f} (95% "
        "interval {:.2f} to {:.2f}); {:.2f} expected by them and the noise\n",
        verdict->map_int8, verdict->map_float, verdict->map_float - verdict->map_int8, verdict->drop.low,
        verdict->drop.high, verdict->ExpectedDrop(chosen.noise));
  }
  if (chosen.chosen_us) {
    text += fmt::format("  sum of the steps' times: {:.2f} ms; {:.2f} with all convs in INT8, {:.2f} with none\n",
                        *chosen.chosen_us / 1e3, *chosen.all_us / 1e3, *chosen.half_us / 1e3);
  }
  for (const KeptLayer& layer : chosen.kept)
    text += fmt::format("  not in INT8: {} ({})\n", layer.node, Why(layer, chosen.noise_of_all));
  return text;
}

nlohmann::ordered_json Int8ToJson(const Int8Facts& facts) {
  const Assignment& chosen = facts.assignment;
  nlohmann::ordered_json json = {
      {"calibration",
       {{"images", facts.images},
        {"data", facts.options.images.source},
        {"split", facts.options.images.split},
        {"calibrator", kCalibratorNames[static_cast<size_t>(facts.options.calibrator)]},
        {"weight_rounding", kWeightRoundingNames[static_cast<size_t>(facts.options.weight_rounding)]},
        {"equalised", facts.equalised},
        {"drift", nullptr},
        {"drift_expected", nullptr}}},
      {"layers", chosen.int8},
      {"flops_share", chosen.flops_share},
      {"noise", chosen.noise},
      {"noise_of_all", chosen.noise_of_all},
      {"map_float", nullptr},
      {"map_int8", nullptr},
      {"map_drop_interval", nullptr},
      {"map_drop_expected", nullptr},
      {"steps_us",
       {{"chosen", OrNull(chosen.chosen_us)}, {"all", OrNull(chosen.all_us)}, {"none", OrNull(chosen.half_us)}}},
      {"kept", nlohmann::ordered_json::array()}};
  if (facts.drift) {
    json["calibration"]["drift"] = facts.drift->median;
    json["calibration"]["drift_expected"] = facts.drift->expected;
  }
  if (const auto& verdict = chosen.verdict) {
    json["map_float"] = verdict->map_float / 100;
    json["map_int8"] = verdict->map_int8 / 100;
    json["map_drop_interval"] = {verdict->drop.low, verdict->drop.high};
    json["map_drop_expected"] = verdict->ExpectedDrop(chosen.noise);
  }
  for (const KeptLayer& layer : chosen.kept) {
    json["kept"].push_back({{"layer", layer.node},
                            {"reason", layer.reason == KeptLayer::Reason::kTime ? "time" : "accuracy"},
                            {"noise", OrNull(layer.noise)},
                            {"flops_share", layer.flops_share},
                            {"int8_us", OrNull(layer.int8_us)},
                            {"half_us", OrNull(layer.half_us)}});
  }
  return json;
}

}  // namespace tenon
