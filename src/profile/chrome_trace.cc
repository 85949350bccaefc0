#include "profile/chrome_trace.h"

#include <nlohmann/json.hpp>
#include <numeric>

#include "base/error.h"

namespace tenon {
namespace {

using Json = nlohmann::ordered_json;

constexpr int kProcess = 1, kTrack = 1;

Json Metadata(const char* kind, const std::string& name) {
  return {{"name", kind}, {"ph", "M"}, {"pid", kProcess}, {"tid", kTrack}, {"args", {{"name", name}}}};
}

Json Complete(const std::string& name, const std::string& category, double start_us, double us, Json args) {
  return {{"name", name}, {"cat", category}, {"ph", "X"},     {"ts", start_us},
          {"dur", us},    {"pid", kProcess}, {"tid", kTrack}, {"args", std::move(args)}};
}

Json StepArgs(const StepReport& report) {
  const ProgramStep& step = *report.step;
  return {{"step", report.index},
          {"tactic", step.family + " " + step.tactic},
          {"precision", PrecisionOf(step.compute)},
          {"gflop", step.flops / 1e9},
          {"mbytes", step.bytes / 1e6},
          {"median_us", report.us},
          {"of_compute_peak", report.of_compute_peak},
          {"of_memory_peak", report.of_memory_peak},
          {"bound", ToString(report.bound)},
          {"sources", step.sources}};
}

}  // namespace

Json MakeChromeTrace(std::span<const RunRecord> runs, std::span<const StepReport> reports, const std::string& title) {
  std::vector<const StepReport*> by_index(reports.size());
  for (const StepReport& report : reports) by_index.at(report.index) = &report;
  Json events = Json::array();
  events.push_back(Metadata("process_name", "tenon"));
  events.push_back(Metadata("thread_name", title));
  for (size_t run = 0; run < runs.size(); ++run) {
    const auto& step_us = runs[run].step_us;
    TENON_CHECK(step_us.size() == reports.size(), "{} times of {} steps", step_us.size(), reports.size());
    double at_us = runs[run].start_us;
    const double total_us = std::accumulate(step_us.begin(), step_us.end(), 0.0);
    events.push_back(Complete(fmt::format("run {}", run), "run", at_us, total_us, Json::object()));
    for (size_t i = 0; i < step_us.size(); ++i) {
      const ProgramStep& step = *by_index[i]->step;
      events.push_back(
          Complete(step.name.empty() ? step.op : step.name, step.op, at_us, step_us[i], StepArgs(*by_index[i])));
      at_us += step_us[i];
    }
  }
  return {{"traceEvents", std::move(events)}, {"displayTimeUnit", "ms"}};
}

}  // namespace tenon
