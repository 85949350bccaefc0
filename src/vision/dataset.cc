#include "vision/dataset.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <filesystem>

#include "base/error.h"
#include "base/file.h"
#include "base/one_line.h"
#include "vision/coco_dataset.h"
#include "vision/data_yaml.h"
#include "vision/image_files.h"
#include "vision/label_file.h"

namespace tenon {
namespace {

namespace fs = std::filesystem;

constexpr uintmax_t kMostLabelBytes = uintmax_t{64} << 20;

int64_t ImageId(const std::string& path, size_t place) {
  const std::string stem = fs::path(path).stem().string();
  int64_t id = 0;
  const auto [end, error] = std::from_chars(stem.data(), stem.data() + stem.size(), id);
  return error == std::errc() && end == stem.data() + stem.size() ? id : static_cast<int64_t>(place);
}

void ReadLabels(const std::string& image_path, const LabelRules& rules, Sample& sample, Dataset& dataset) {
  const std::string label_path = LabelPath(image_path);
  std::error_code error;
  const fs::file_status status = fs::status(label_path, error);
  if (status.type() == fs::file_type::not_found) return;
  if (!fs::is_regular_file(status)) {
    dataset.problems.push_back({label_path, 0, error ? error.message() : "no regular file: not read"});
    return;
  }
  if (const auto size = fs::file_size(label_path, error); size > kMostLabelBytes) {
    dataset.problems.push_back({label_path, 0, fmt::format("{} bytes, which no label file has: not read", size)});
    return;
  }
  LabelFile labels = ParseLabels(ReadTextFile(label_path), label_path, rules);
  sample.truths = std::move(labels.truths);
  dataset.duplicates_removed += labels.duplicates_removed;
  dataset.problems.insert(dataset.problems.end(), labels.problems.begin(), labels.problems.end());
}

Dataset LoadYamlDataset(const DatasetOptions& options) {
  DataYaml yaml = ParseDataYaml(ReadTextFile(options.data), options.data, options.split);
  Dataset dataset{.source = options.data, .split = options.split, .names = std::move(yaml.names)};
  for (size_t c = 0; c < dataset.names.size(); ++c) dataset.category_ids.push_back(static_cast<int64_t>(c) + 1);
  const LabelRules rules{static_cast<int>(dataset.names.size()), yaml.keypoint_values};
  const ImageFiles files = FindImages(yaml.places, yaml.root);
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
  return OneLine(line > 0 ? fmt::format("{}:{}: {}", file, line, message) : fmt::format("{}: {}", file, message));
}

void internal::TakeFraction(double fraction, std::vector<Sample>& samples) {
  if (!(fraction > 0 && fraction <= 1)) {
    ThrowInvalid("--fraction: got {}, expected more than 0 and at most 1", fraction);
  }
  const auto count = static_cast<size_t>(std::nearbyint(static_cast<double>(samples.size()) * fraction));
  if (count < samples.size()) samples.resize(std::max<size_t>(count, 1));
}

Dataset LoadDataset(const DatasetOptions& options) {
  const bool is_coco = fs::path(options.data).extension() == ".json";
  Dataset dataset = is_coco ? internal::LoadCocoDataset(options) : LoadYamlDataset(options);
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
