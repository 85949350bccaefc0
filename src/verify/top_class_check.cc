#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "verify/checks.h"

namespace tenon {

int ClassNumber(const Dataset& dataset, const std::string& name) {
  const auto found = std::find(dataset.names.begin(), dataset.names.end(), name);
  if (found != dataset.names.end()) return static_cast<int>(found - dataset.names.begin());
  ThrowInvalid({.what = "the data set has no such class",
                .where = "--top-class",
                .got = name,
                .expected = "one of the names in " + dataset.source});
}

namespace {

/// The class to look at, as a number; -1: no class has labels.
int ChooseClass(const AccuracyPair& pair, const std::string& name) {
  if (!name.empty()) return ClassNumber(pair.dataset, name);
  const auto& classes = pair.source.report.classes;
  const auto top = std::max_element(classes.begin(), classes.end(),
                                    [](const auto& a, const auto& b) { return a.instances < b.instances; });
  return top == classes.end() ? -1 : top->class_id;
}

const ReportRow* FindRow(const ValReport& report, int class_id) {
  for (const ReportRow& row : report.classes) {
    if (row.class_id == class_id) return &row;
  }
  return nullptr;
}

}  // namespace

Check CheckTopClass(const AccuracyPair& pair, const std::string& top_class, double max_drop) {
  Check check{.name = "top_class_ap", .threshold = max_drop};
  const int class_id = ChooseClass(pair, top_class);
  const ReportRow* source = FindRow(pair.source.report, class_id);
  const ReportRow* engine = FindRow(pair.engine.report, class_id);
  if (source == nullptr || engine == nullptr) {
    check.detail = top_class.empty() ? "the data set has no labels" : "no labels of class " + top_class;
    return check;
  }
  check.value = 100 * (source->ap50_95 - engine->ap50_95);
  check.status = PassIf(*check.value <= max_drop);
  check.detail = fmt::format("AP50-95 of {} ({} labels) {:.2f}, source {:.2f}: {}", source->name, source->instances,
                             100 * engine->ap50_95, 100 * source->ap50_95, DropText(*check.value));
  check.more = {{"class", source->name}, {"engine", engine->ap50_95}, {"source", source->ap50_95}};
  return check;
}

}  // namespace tenon
