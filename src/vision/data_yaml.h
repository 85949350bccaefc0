#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace tenon {

/// What an Ultralytics data.yaml says of one split.
struct DataYaml {
  std::vector<std::string> names;   ///< by class number
  int64_t keypoint_values = 0;      ///< numbers per instance behind the box, of pose data sets
  std::string root;                 ///< the folder that places are relative to
  std::vector<std::string> places;  ///< of the split: folders, or text files of images
};

/// Reads the text of a data.yaml; looks at no image. `file`: where it came from: `path` is relative to its folder, and
/// messages name it. Throws Error(kInvalidInput).
DataYaml ParseDataYaml(const std::string& text, const std::string& file, const std::string& split);

}  // namespace tenon
