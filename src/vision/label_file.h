#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "vision/dataset.h"

namespace tenon {

struct LabelRules {
  int num_classes = 0;
  int64_t keypoint_values = 0;  ///< data.yaml's kpt_shape: so many values may follow a box; they are not used
};

struct LabelFile {
  std::vector<Truth> truths;
  std::vector<DatasetProblem> problems;
  int64_t duplicates_removed = 0;
};

/// Parses YOLO labels: a line is "class cx cy width height" or "class x1 y1 x2 y2 x3 y3 ..." (a polygon, of which the
/// bounding box is taken). Lines that break a rule of Ultralytics' checks (coordinates within -0.01 to 1.01, sizes not
/// negative, whole class numbers below num_classes) become problems.
LabelFile ParseLabels(std::string_view text, const std::string& file_name, const LabelRules& rules);

/// The label file that belongs to an image: the last folder named "images" becomes "labels", the suffix ".txt".
std::string LabelPath(const std::string& image_path);

}  // namespace tenon
