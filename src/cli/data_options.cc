#include "cli/data_options.h"

#include "base/log.h"
#include "cli/number_check.h"

namespace tenon::cli {
namespace {

void ReportProblems(const Dataset& dataset) {
  constexpr size_t kShown = 10;
  for (size_t i = 0; i < dataset.problems.size() && i < kShown; ++i) Log().warn("{}", dataset.problems[i].ToString());
  if (dataset.problems.size() > kShown) Log().warn("... and {} more such lines", dataset.problems.size() - kShown);
}

}  // namespace

void AddDataFlags(CLI::App& command, DatasetOptions& options) {
  command.add_option("--data", options.data, "Ultralytics data.yaml, or a COCO json (with --images)")->required();
  command.add_option("--images", options.images, "folder of the images of a COCO json");
  command.add_option("--split", options.split, "train, val or test")->capture_default_str();
  command.add_option("--fraction", options.fraction, "use only the first part of the images")
      ->check(NumberBetween(0, 1))
      ->capture_default_str();
}

Dataset LoadDatasetAndReport(const DatasetOptions& options) {
  Dataset dataset = LoadDataset(options);
  ReportProblems(dataset);
  return dataset;
}

}  // namespace tenon::cli
