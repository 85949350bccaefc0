#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "vision/box.h"

namespace tenon {

/// Something in a data set that is left out, with its place.
struct DatasetProblem {
  std::string file;
  int64_t line = 0;  ///< of a label file, or the id of a COCO annotation; 0: the whole file
  std::string message;

  std::string ToString() const;  ///< "FILE:LINE: MESSAGE"
};

struct Sample {
  std::string image_path;
  int64_t image_id = 0;  ///< COCO's, else the number in the file's name if it is one, else its place in the set
  std::vector<Truth> truths;
};

/// Labelled images, in natural order of their paths (img2 before img10), COCO sets in order of their image ids.
struct Dataset {
  std::string source;  ///< the yaml or json file
  std::string split;
  std::vector<std::string> names;     ///< by class number
  std::vector<int64_t> category_ids;  ///< COCO's, by class number; 1, 2, 3 ... in other sets
  std::vector<Sample> samples;
  std::vector<DatasetProblem> problems;
  int64_t instances = 0;          ///< truths that are no crowd regions
  int64_t images_unlabelled = 0;  ///< without a label file, or with an empty one: background
  int64_t duplicates_removed = 0;
  int64_t most_truths_in_an_image = 0;  ///< above NmsOptions::max_detections, recall is capped: val raises the limit
};

struct DatasetOptions {
  std::string data;           ///< Ultralytics data.yaml, or a COCO json
  std::string images;         ///< COCO only: the folder of its images; empty: the json's own folder
  std::string split = "val";  ///< yaml only
  double fraction = 1;        ///< the first part of the images, at least one
};

/// Reads the description, finds the images and reads the labels; decodes no image. Bad labels become problems and are
/// left out, the rest of their file stays. Throws Error(kInvalidInput) when the description itself is wrong, names
/// paths that do not exist, or holds no image.
Dataset LoadDataset(const DatasetOptions& options);

}  // namespace tenon
