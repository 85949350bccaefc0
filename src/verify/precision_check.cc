#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>
#include <sstream>

#include "verify/checks.h"

namespace tenon {
namespace {

bool IsDense(const ProgramStep& step) {
  return step.op == "Conv" || step.op == "ConvTranspose" || step.op == "MatMul" || step.op == "Attention";
}

std::string PrecisionOf(DType compute) {
  switch (compute) {
    case DType::kBFloat16:
    case DType::kFloat16:
      return "half";
    case DType::kInt8:
    case DType::kUInt8:
      return "int8";
    default:
      return "fp32";
  }
}

/// Reasons by node name, from lines "NODE (OP) stays in PRECISION: REASON".
std::map<std::string, std::string> Reasons(const std::string& warnings) {
  std::map<std::string, std::string> reasons;
  std::istringstream lines(warnings);
  for (std::string line; std::getline(lines, line);) {
    const size_t stays = line.find(") stays in "), open = stays == std::string::npos ? stays : line.rfind(" (", stays);
    const size_t colon = stays == std::string::npos ? stays : line.find(": ", stays);
    if (open == std::string::npos || colon == std::string::npos) continue;
    reasons[line.substr(0, open)] = line.substr(colon + 2);
  }
  return reasons;
}

}  // namespace

Check CheckPrecision(const Program& plan, const std::string& asked, const std::string& warnings) {
  Check check{.name = "precision_as_asked"};
  const auto reasons = Reasons(warnings);
  double total = 0, as_asked = 0;
  std::vector<std::string> explained, unexplained;
  nlohmann::ordered_json others = nlohmann::ordered_json::array();
  for (const ProgramStep& step : plan.steps) {
    if (!IsDense(step)) continue;
    total += step.flops;
    const std::string precision = PrecisionOf(step.compute);
    if (precision == asked) {
      as_asked += step.flops;
      continue;
    }
    const auto reason = reasons.find(step.name);
    const std::string why = reason == reasons.end() ? "no reason recorded" : reason->second;
    (reason == reasons.end() ? unexplained : explained)
        .push_back(fmt::format("{} is {}: {}", step.name, precision, why));
    others.push_back({{"step", step.name}, {"op", step.op}, {"precision", precision}, {"reason", why}});
  }
  check.value = total > 0 ? as_asked / total : 1;
  check.status = PassIf(plan.precision == asked && unexplained.empty());
  check.detail =
      fmt::format("{:.2f}% of the FLOPs of convolutions and matrix products in {}", 100 * *check.value, asked);
  if (plan.precision != asked) check.detail += fmt::format("; the plan was built as {}", plan.precision);
  for (const auto* list : {&unexplained, &explained}) {
    if (!list->empty()) check.detail += fmt::format("; {}", fmt::join(*list, "; "));
  }
  check.more = {{"asked", asked}, {"plan", plan.precision}, {"others", others}};
  return check;
}

}  // namespace tenon
