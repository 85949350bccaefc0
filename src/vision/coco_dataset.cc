#include "vision/coco_dataset.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "base/memory.h"

namespace tenon::internal {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int64_t kValuesBetweenLooks = int64_t{1} << 20, kBytesToKeepFree = int64_t{512} << 20;

struct CocoImage {
  Sample sample;
  double width = 0, height = 0;
};
using CocoImages = std::map<int64_t, CocoImage>;

/// Some writers give ids as 7.0. The library converts any number, 1e300 too.
int64_t WholeNumber(const json& value) {
  constexpr double kExact = 9007199254740992.0;  // 2^53
  const double number = value.get<double>();
  if (value.is_number_integer() && (!value.is_number_unsigned() || value.get<uint64_t>() <= INT64_MAX)) return value;
  if (std::floor(number) == number && std::abs(number) <= kExact) return static_cast<int64_t>(number);
  ThrowInvalid("got {}, expected a whole number of 64 bits", value.dump());
}

[[noreturn]] void ThrowTwice(const std::string& file, const char* what, int64_t id) {
  ThrowInvalid({.what = fmt::format("{} id twice", what),
                .where = file,
                .got = fmt::format("two of id {}", id),
                .expected = "an id each"});
}

/// Class number of each category id; fills names and ids in that order.
std::map<int64_t, int> ReadCategories(const json& root, Dataset& dataset) {
  std::map<int64_t, std::string> names;
  for (const json& category : root.at("categories")) {
    const int64_t id = WholeNumber(category.at("id"));
    if (!names.emplace(id, category.at("name").get<std::string>()).second) ThrowTwice(dataset.source, "category", id);
  }
  std::map<int64_t, int> class_of;
  for (auto& [id, name] : names) {
    class_of[id] = static_cast<int>(dataset.names.size());
    dataset.names.push_back(name);
    dataset.category_ids.push_back(id);
  }
  return class_of;
}

CocoImages ReadImages(const json& root, const fs::path& folder, const std::string& file) {
  CocoImages images;
  for (const json& entry : root.at("images")) {
    const int64_t id = WholeNumber(entry.at("id"));
    CocoImage image{.width = entry.at("width"), .height = entry.at("height")};
    if (!(image.width > 0 && image.height > 0)) {
      ThrowInvalid({.what = "bad image entry",
                    .where = fmt::format("{}, image {}", file, id),
                    .got = fmt::format("{} x {} pixels", image.width, image.height),
                    .expected = "a positive size"});
    }
    image.sample.image_path = (folder / entry.at("file_name").get<std::string>()).string();
    image.sample.image_id = id;
    if (!images.emplace(id, std::move(image)).second) ThrowTwice(file, "image", id);
  }
  return images;
}

/// Returns what is wrong with the annotation, or nothing.
std::string AddAnnotation(const json& annotation, const std::map<int64_t, int>& class_of, CocoImages& images) {
  const int64_t image_id = WholeNumber(annotation.at("image_id"));
  const int64_t category = WholeNumber(annotation.at("category_id"));
  const auto image = images.find(image_id);
  if (image == images.end()) return fmt::format("got image_id {}, expected one of \"images\"", image_id);
  const auto class_id = class_of.find(category);
  if (class_id == class_of.end()) return fmt::format("got category_id {}, expected one of \"categories\"", category);
  const std::vector<double> box = annotation.at("bbox").get<std::vector<double>>();
  const bool finite = std::all_of(box.begin(), box.end(), [](double v) { return std::isfinite(v); });
  if (box.size() != 4 || !finite || box[2] < 0 || box[3] < 0) {
    return fmt::format(
        "got bbox [{}], expected left, top, width, height",
        fmt::join(box.begin(), box.begin() + static_cast<std::ptrdiff_t>(std::min<size_t>(box.size(), 5)), ", "));
  }
  const double w = image->second.width, h = image->second.height;
  image->second.sample.truths.push_back({.class_id = class_id->second,
                                         .cx = static_cast<float>((box[0] + box[2] / 2) / w),
                                         .cy = static_cast<float>((box[1] + box[3] / 2) / h),
                                         .width = static_cast<float>(box[2] / w),
                                         .height = static_cast<float>(box[3] / h),
                                         .left_px = box[0],
                                         .top_px = box[1],
                                         .width_px = box[2],
                                         .height_px = box[3],
                                         .area_px = annotation.value("area", box[2] * box[3]),
                                         .crowd = annotation.value("iscrowd", 0.0) != 0});
  return {};
}

void ReadAnnotations(const json& root, const std::map<int64_t, int>& class_of, CocoImages& images, Dataset& dataset) {
  int64_t place = 0;
  for (const json& annotation : root.at("annotations")) {
    ++place;
    std::string problem;
    try {
      problem = AddAnnotation(annotation, class_of, images);
    } catch (const json::exception& error) {
      problem = error.what();
    } catch (const Error& error) {
      problem = error.what();
    }
    if (!problem.empty()) dataset.problems.push_back({dataset.source, place, "annotation: " + problem});
  }
}

void CheckImagesExist(const Dataset& dataset, const fs::path& folder) {
  std::error_code ignored;
  for (const Sample& sample : dataset.samples) {
    if (fs::exists(sample.image_path, ignored)) return;
  }
  if (dataset.samples.empty()) return;
  ThrowInvalid({.what = "images of the data set not found",
                .where = dataset.source,
                .got = fmt::format("no {} and no other", dataset.samples.front().image_path),
                .expected = fmt::format("its {} images below {}", dataset.samples.size(), folder.string()),
                .hint = "Name their folder with --images."});
}

fs::path ImageFolder(const DatasetOptions& options) {
  return options.images.empty() ? fs::absolute(options.data).parent_path() : fs::path(options.images);
}

}  // namespace

Dataset ParseCoco(const std::string& text, const DatasetOptions& options) {
  Dataset dataset{.source = options.data, .split = options.split};
  try {
    int64_t values = 0;
    const auto watched = [&](int, json::parse_event_t, json&) {
      CheckInterrupt();  // COCO's own files take many seconds
      // Three bytes of text can be an object of 40: what a file will take isn't known before.
      if (++values % kValuesBetweenLooks == 0) CheckMemory(options.data, kBytesToKeepFree);
      return true;
    };
    const json root = json::parse(text, watched);
    const std::map<int64_t, int> class_of = ReadCategories(root, dataset);
    CocoImages images = ReadImages(root, ImageFolder(options), options.data);
    ReadAnnotations(root, class_of, images, dataset);
    for (auto& [id, image] : images) dataset.samples.push_back(std::move(image.sample));
  } catch (const json::exception& error) {
    ThrowInvalid({.what = "bad COCO json",
                  .where = options.data,
                  .got = error.what(),
                  .expected = "images, annotations and categories as in a COCO instances file"});
  }
  return dataset;
}

Dataset LoadCocoDataset(const DatasetOptions& options) {
  Dataset dataset = ParseCoco(ReadTextFile(options.data), options);
  TakeFraction(options.fraction, dataset.samples);
  CheckImagesExist(dataset, ImageFolder(options));
  return dataset;
}

}  // namespace tenon::internal
