#pragma once
#include <CLI/CLI.hpp>
#include <string>

#include "vision/nms.h"

namespace tenon::cli {

/// Flags of commands that turn outputs into boxes.
struct HeadOptions {
  std::string head;    ///< --head: how the model spells boxes, where metadata and shapes don't tell
  double conf = 0.25;  ///< lowest score; val's default is lower
  double iou = 0.7;
  int max_det = 300;
  bool agnostic_nms = false;

  NmsOptions Nms() const;
};
void AddHeadFlags(CLI::App& command, HeadOptions& options);

}  // namespace tenon::cli
