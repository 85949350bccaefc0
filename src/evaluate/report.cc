#include "evaluate/report.h"

#include <nlohmann/json.hpp>

namespace tenon {

nlohmann::json ToJson(const ValReport& report) {
  nlohmann::json classes = nlohmann::json::array();
  for (const ReportRow& row : report.classes) {
    classes.push_back({{"id", row.class_id},
                       {"name", row.name},
                       {"instances", row.instances},
                       {"ap50_95", row.ap50_95},
                       {"ap50", row.ap50},
                       {"precision", row.precision},
                       {"recall", row.recall}});
  }
  const DetectionScores& m = report.metrics;
  nlohmann::json json = {{"model", report.model},
                         {"data", report.data},
                         {"metric_kind", report.metric_kind},
                         {"images", report.images},
                         {"instances", report.instances},
                         {"metrics",
                          {{"map50_95", m.ap50_95},
                           {"map50", m.ap50},
                           {"map75", m.ap75},
                           {"precision", m.precision},
                           {"recall", m.recall},
                           {"f1", m.f1}}},
                         {"classes", classes},
                         {"speed_ms",
                          {{"preprocess", report.speed_ms.preprocess},
                           {"inference", report.speed_ms.inference},
                           {"postprocess", report.speed_ms.postprocess},
                           {"letterbox", report.speed_ms.letterbox},
                           {"engine", report.speed_ms.engine}}},
                         {"loader_threads", report.speed_ms.loader_threads},
                         {"streams", report.speed_ms.streams},
                         {"images_per_s", report.speed_ms.images_per_s},
                         {"unreadable_images", report.unreadable_images},
                         {"label_problems", report.label_problems}};
  if (report.coco) json["coco"] = *report.coco;
  return json;
}

}  // namespace tenon
