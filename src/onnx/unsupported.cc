#include "onnx/unsupported.h"

#include <fmt/ranges.h>

#include <map>
#include <set>

#include "base/error.h"

namespace tenon {
namespace {

constexpr size_t kNamesShown = 5;

struct Group {
  int64_t opset = 0;
  std::vector<std::string> nodes;
  std::set<std::string> reasons;
};

std::string Describe(const std::string& op, const Group& group) {
  const size_t shown = std::min(group.nodes.size(), kNamesShown);
  std::string text =
      fmt::format("{} {} x{} ({}{})", op, group.opset, group.nodes.size(),
                  fmt::join(group.nodes.begin(), group.nodes.begin() + static_cast<std::ptrdiff_t>(shown), ", "),
                  shown < group.nodes.size() ? ", ..." : "");
  if (!group.reasons.empty()) text += fmt::format(" [{}]", fmt::join(group.reasons, "; "));
  return text;
}

}  // namespace

void ThrowUnsupportedNodes(const std::vector<UnsupportedReport>& reports) {
  std::map<std::string, Group> groups;
  for (const UnsupportedReport& report : reports) {
    Group& group = groups[(report.domain.empty() ? "ai.onnx" : report.domain) + "." + report.op_type];
    group.opset = report.opset;
    group.nodes.push_back(report.node);
    if (!report.reason.empty()) group.reasons.insert(report.reason);
  }
  std::vector<std::string> lines;
  for (const auto& [op, group] : groups) lines.push_back(Describe(op, group));
  ThrowInvalid(
      {.what = fmt::format("{} of the model's nodes are not supported (op, opset, count, nodes)", reports.size()),
       .got = fmt::format("{}", fmt::join(lines, ", "))});
}

}  // namespace tenon
