#include "cli/head_options.h"

#include "cli/number_check.h"

namespace tenon::cli {

NmsOptions HeadOptions::Nms() const {
  return {.iou = iou, .max_detections = max_det, .classes = agnostic_nms ? ClassMode::kAgnostic : ClassMode::kAware};
}

void AddHeadFlags(CLI::App& command, HeadOptions& options) {
  command.add_option("--head", options.head,
                     "how the outputs spell boxes: v8, v5, end2end, yolox, rtdetr, rtdetr-topk (default: recognised)");
  command.add_option("--conf", options.conf, "lowest score that counts")
      ->check(NumberBetween(0, 1))
      ->capture_default_str();
  command.add_option("--iou", options.iou, "NMS: overlap above which the weaker box goes")
      ->check(NumberBetween(0, 1))
      ->capture_default_str();
  command.add_option("--max-det", options.max_det, "detections per image")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  command.add_flag("--agnostic-nms", options.agnostic_nms, "boxes of different classes suppress each other");
}

}  // namespace tenon::cli
