#pragma once
#include <array>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "evaluate/ultralytics_metrics.h"

namespace tenon {

struct SpeedMs {
  double preprocess = 0, inference = 0, postprocess = 0;  ///< mean per image
  /// Parts of `inference` on a GPU, which letterboxes images itself: `preprocess` is then the decoding alone.
  double letterbox = 0, engine = 0;
  int loader_threads = 1;   ///< that decode at the same time
  int streams = 1;          ///< batches that are at work at the same time, each with its share of the threads
  double images_per_s = 0;  ///< of the whole, from files to boxes
};

struct ReportRow : ClassScores {
  std::string name;
};

/// What `tenon val` found: the figures of one metric kind in `metrics` and `classes`.
struct ValReport {
  std::string model, data;
  std::string metric_kind;  ///< "ultralytics" or "coco"
  int64_t images = 0, instances = 0;
  DetectionScores metrics;
  std::vector<ReportRow> classes;              ///< those with labels
  std::optional<std::array<double, 12>> coco;  ///< pycocotools' twelve, where they were asked for
  SpeedMs speed_ms;
  std::vector<std::string> unreadable_images;  ///< error messages; these images are in no figure
  int64_t label_problems = 0;
};

/// The contract of docs/cli.md; metrics are fractions.
nlohmann::json ToJson(const ValReport& report);

}  // namespace tenon
