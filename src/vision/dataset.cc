#include "vision/dataset.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <map>

#include "base/error.h"
#include "base/file.h"
#include "vision/coco_dataset.h"
#include "vision/image_files.h"
#include "vision/label_file.h"

namespace tenon {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kMaxClasses = 100000;

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
  if (count && static_cast<int64_t>(names.size()) != static_cast<int64_t>(count.as<double>())) {
    ThrowYaml(file, fmt::format("{} names and nc: {}", names.size(), count.as<std::string>()), "equal numbers");
  }
  return names;
}

int64_t ReadKeypointValues(const YAML::Node& yaml) {
  const YAML::Node shape = yaml["kpt_shape"];
  if (!shape || !shape.IsSequence() || shape.size() != 2) return 0;
  return shape[0].as<int64_t>() * shape[1].as<int64_t>();
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

std::vector<std::string> SplitPlaces(const YAML::Node& yaml, const DatasetOptions& options, const fs::path& root) {
  const bool other_name = options.split == "val" && !yaml["val"];
  const YAML::Node node = yaml[other_name ? "validation" : options.split];
  std::vector<std::string> places;
  if (node && node.IsScalar()) {
    places.push_back(ResolvePlace(root, node.as<std::string>()));
  } else if (node && node.IsSequence()) {
    for (const auto& entry : node) places.push_back(ResolvePlace(root, entry.as<std::string>()));
  }
  if (places.empty()) {
    std::string has;
    for (const char* split : {"train", "val", "test"}) {
      if (yaml[split]) has += fmt::format("{}{}", has.empty() ? "" : ", ", split);
    }
    ThrowYaml(options.data, fmt::format("no \"{}\" (it has: {})", options.split, has.empty() ? "none" : has),
              "a folder, a list of folders or a text file of images");
  }
  return places;
}

int64_t ImageId(const std::string& path, size_t place) {
  const std::string stem = fs::path(path).stem().string();
  int64_t id = 0;
  const auto [end, error] = std::from_chars(stem.data(), stem.data() + stem.size(), id);
  return error == std::errc() && end == stem.data() + stem.size() ? id : static_cast<int64_t>(place);
}

void ReadLabels(const std::string& image_path, const LabelRules& rules, Sample& sample, Dataset& dataset) {
  const std::string label_path = LabelPath(image_path);
  std::error_code ignored;
  if (!fs::is_regular_file(label_path, ignored)) return;
  LabelFile labels = ParseLabels(ReadTextFile(label_path), label_path, rules);
  sample.truths = std::move(labels.truths);
  dataset.duplicates_removed += labels.duplicates_removed;
  dataset.problems.insert(dataset.problems.end(), labels.problems.begin(), labels.problems.end());
}

Dataset LoadYamlDataset(const DatasetOptions& options) {
  const YAML::Node yaml = YAML::Load(ReadTextFile(options.data));
  if (!yaml.IsMap()) ThrowYaml(options.data, "no keys", "names: and val: as in an Ultralytics data.yaml");
  Dataset dataset{.source = options.data, .split = options.split, .names = ReadNames(yaml, options.data)};
  for (size_t c = 0; c < dataset.names.size(); ++c) dataset.category_ids.push_back(static_cast<int64_t>(c) + 1);
  const LabelRules rules{static_cast<int>(dataset.names.size()), ReadKeypointValues(yaml)};
  const fs::path root = DatasetRoot(yaml, options.data);
  const ImageFiles files = FindImages(SplitPlaces(yaml, options, root), root.string());
  for (const std::string& path : files.unsupported) {
    dataset.problems.push_back({path, 0, "an image format that Tenon does not read"});
  }
  for (const std::string& path : files.paths) {
    Sample sample{.image_path = path, .image_id = ImageId(path, dataset.samples.size())};
    dataset.samples.push_back(std::move(sample));
  }
  internal::TakeFraction(options.fraction, dataset.samples);
  for (Sample& sample : dataset.samples) ReadLabels(sample.image_path, rules, sample, dataset);
  return dataset;
}

void Count(Dataset& dataset) {
  for (const Sample& sample : dataset.samples) {
    dataset.images_unlabelled += sample.truths.empty();
    dataset.most_truths_in_an_image =
        std::max(dataset.most_truths_in_an_image, static_cast<int64_t>(sample.truths.size()));
    dataset.instances += std::count_if(sample.truths.begin(), sample.truths.end(), [](auto& t) { return !t.crowd; });
  }
}

}  // namespace

std::string DatasetProblem::ToString() const {
  return line > 0 ? fmt::format("{}:{}: {}", file, line, message) : fmt::format("{}: {}", file, message);
}

void internal::TakeFraction(double fraction, std::vector<Sample>& samples) {
  if (!(fraction > 0 && fraction <= 1)) {
    ThrowInvalid("--fraction: got {}, expected more than 0 and at most 1", fraction);
  }
  const auto count = static_cast<size_t>(std::nearbyint(static_cast<double>(samples.size()) * fraction));
  if (count < samples.size()) samples.resize(std::max<size_t>(count, 1));
}

Dataset LoadDataset(const DatasetOptions& options) {
  Dataset dataset;
  try {
    dataset =
        fs::path(options.data).extension() == ".json" ? internal::LoadCocoDataset(options) : LoadYamlDataset(options);
  } catch (const YAML::Exception& error) {
    ThrowYaml(options.data, error.what(), "an Ultralytics data.yaml");
  }
  if (dataset.samples.empty()) {
    ThrowInvalid({.what = "empty data set",
                  .where = options.data,
                  .got = fmt::format("no image in \"{}\"", options.split),
                  .expected = "JPEG, PNG, WebP or BMP files"});
  }
  Count(dataset);
  return dataset;
}

}  // namespace tenon
