#include "vision/data_yaml.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "base/error.h"

namespace tenon {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMaxClasses = 100000;
constexpr size_t kMostBytes = size_t{4} << 20;

[[noreturn]] void ThrowYaml(const std::string& file, const std::string& got, const std::string& expected) {
  ThrowInvalid({.what = "bad data set description", .where = file, .got = got, .expected = expected});
}

std::vector<std::string> NumberedNames(int64_t count) {
  std::vector<std::string> names;
  for (int64_t i = 0; i < count; ++i) names.push_back(fmt::format("class_{}", i));
  return names;
}

std::vector<std::string> NamesFromMap(const YAML::Node& node, const std::string& file) {
  std::map<int64_t, std::string> names;
  for (const auto& entry : node) names[entry.first.as<int64_t>()] = entry.second.as<std::string>();
  const auto count = static_cast<int64_t>(names.size());
  if (names.begin()->first != 0 || names.rbegin()->first != count - 1) {
    ThrowYaml(file, fmt::format("names numbered {} to {}", names.begin()->first, names.rbegin()->first),
              fmt::format("0 to {} without gaps", count - 1));
  }
  std::vector<std::string> result;
  for (auto& [id, name] : names) result.push_back(std::move(name));
  return result;
}

std::vector<std::string> ReadNames(const YAML::Node& yaml, const std::string& file) {
  const YAML::Node node = yaml["names"], count = yaml["nc"];
  std::vector<std::string> names;
  if (node && node.IsMap() && node.size() > 0) {
    names = NamesFromMap(node, file);
  } else if (node && node.IsSequence() && node.size() > 0) {
    names = node.as<std::vector<std::string>>();
  } else if (count && !node) {
    names = NumberedNames(std::clamp<int64_t>(count.as<int64_t>(), 0, kMaxClasses));
  }
  if (names.empty()) ThrowYaml(file, "no class names", "names: a list or map, or nc: a number of classes");
  if (count && !(count.as<double>() == static_cast<double>(names.size()))) {
    ThrowYaml(file, fmt::format("{} names and nc: {}", names.size(), count.as<std::string>()), "equal numbers");
  }
  return names;
}

int64_t ReadKeypointValues(const YAML::Node& yaml) {
  const YAML::Node shape = yaml["kpt_shape"];
  if (!shape || !shape.IsSequence() || shape.size() != 2) return 0;
  int64_t values = 0;
  return __builtin_mul_overflow(shape[0].as<int64_t>(), shape[1].as<int64_t>(), &values) ? 0 : values;
}

/// `path` of the description: absolute, or relative to the description's own folder.
fs::path DatasetRoot(const YAML::Node& yaml, const fs::path& file) {
  const fs::path folder = fs::absolute(file).parent_path();
  const YAML::Node path = yaml["path"];
  return path && path.IsScalar() ? (folder / path.as<std::string>()).lexically_normal() : folder;
}

/// Exporters of some labelling services write "../val/images" for what lies beside the description.
std::string ResolvePlace(const fs::path& root, const std::string& entry) {
  const fs::path direct = (root / entry).lexically_normal();
  std::error_code ignored;
  if (fs::exists(direct, ignored) || !entry.starts_with("../")) return direct.string();
  const fs::path beside = (root / entry.substr(3)).lexically_normal();
  return (fs::exists(beside, ignored) ? beside : direct).string();
}

std::vector<std::string> SplitPlaces(const YAML::Node& yaml, const std::string& file, const std::string& split,
                                     const fs::path& root) {
  const bool other_name = split == "val" && !yaml["val"];
  const YAML::Node node = yaml[other_name ? "validation" : split];
  std::vector<std::string> places;
  if (node && node.IsScalar()) {
    places.push_back(ResolvePlace(root, node.as<std::string>()));
  } else if (node && node.IsSequence()) {
    for (const auto& entry : node) places.push_back(ResolvePlace(root, entry.as<std::string>()));
  }
  if (places.empty()) {
    std::string has;
    for (const char* known : {"train", "val", "test"}) {
      if (yaml[known]) has += fmt::format("{}{}", has.empty() ? "" : ", ", known);
    }
    ThrowYaml(file, fmt::format("no \"{}\" (it has: {})", split, has.empty() ? "none" : has),
              "a folder, a list of folders or a text file of images");
  }
  return places;
}

}  // namespace

DataYaml ParseDataYaml(const std::string& text, const std::string& file, const std::string& split) {
  try {
    if (text.size() > kMostBytes)  // a word of two bytes is an object of hundreds
      ThrowYaml(file, fmt::format("{} bytes", text.size()), fmt::format("at most {}", kMostBytes));
    const YAML::Node yaml = YAML::Load(text);
    if (!yaml.IsMap()) ThrowYaml(file, "no keys", "names: and val: as in an Ultralytics data.yaml");
    const fs::path root = DatasetRoot(yaml, file);
    return {.names = ReadNames(yaml, file),
            .keypoint_values = ReadKeypointValues(yaml),
            .root = root.string(),
            .places = SplitPlaces(yaml, file, split, root)};
  } catch (const YAML::Exception& error) {
    ThrowYaml(file, error.what(), "an Ultralytics data.yaml");
  }
}

}  // namespace tenon
