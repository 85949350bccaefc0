#include <filesystem>
#include <map>
#include <set>

#include "base/file.h"
#include "base/interrupt.h"
#include "base/log.h"
#include "base/one_line.h"
#include "cli/command.h"
#include "cli/head_options.h"
#include "cli/model_source.h"
#include "verify/detection_pipeline.h"
#include "vision/draw.h"
#include "vision/image_files.h"
#include "vision/label_file.h"

namespace tenon::cli {
namespace {

namespace fs = std::filesystem;

struct PredictOptions {
  ModelOptions model;
  HeadOptions head;
  std::vector<std::string> images;
  std::string save_dir = "runs/predict";
  bool save_txt = false, save_conf = false, no_save = false;
};

/// "2 person, 1 forklift", classes in the order of their numbers.
std::string Summary(const std::vector<Detection>& detections, const std::vector<std::string>& names) {
  std::map<int, int> counts;
  for (const Detection& detection : detections) ++counts[detection.class_id];
  std::string text;
  for (const auto& [class_id, count] : counts)
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, names[class_id]);
  return text.empty() ? "(no detections)" : text;
}

/// YOLO label lines: class, centre and size as fractions, the score with --save-conf.
std::string LabelText(const std::vector<Detection>& detections, const Image& image, bool with_score) {
  std::string text;
  for (const Detection& detection : detections) {
    const Box& box = detection.box;
    text += fmt::format(
        "{} {:.6g} {:.6g} {:.6g} {:.6g}", detection.class_id, (box.x1 + box.x2) / 2 / static_cast<float>(image.width),
        (box.y1 + box.y2) / 2 / static_cast<float>(image.height), (box.x2 - box.x1) / static_cast<float>(image.width),
        (box.y2 - box.y1) / static_cast<float>(image.height));
    if (with_score) text += fmt::format(" {:.6g}", detection.score);
    text += "\n";
  }
  return text;
}

/// Where results go; two images of the same name from different folders don't overwrite each other.
class Outputs {
 public:
  explicit Outputs(const PredictOptions& options) : options_(options) {
    if (!options.no_save) MakeOutputFolder(options.save_dir);
    if (options.save_txt) MakeOutputFolder((fs::path(options.save_dir) / "labels").string());
  }
  /// Returns the drawn image's path, "" when none is written.
  std::string Save(LoadedImage& loaded, const std::vector<Detection>& detections,
                   const std::vector<std::string>& names) {
    const fs::path source(loaded.path);
    std::string stem = source.stem().string();
    for (int i = 2; !taken_.insert(stem).second; ++i) stem = fmt::format("{}_{}", source.stem().string(), i);
    if (options_.save_txt) {
      WriteTextFileAtomically((fs::path(options_.save_dir) / "labels" / (stem + ".txt")).string(),
                              LabelText(detections, loaded.image, options_.save_conf));
    }
    if (options_.no_save) return {};
    const std::string suffix = source.extension() == ".png" ? ".png" : ".jpg";
    const std::string path = (fs::path(options_.save_dir) / (stem + suffix)).string();
    DrawDetections(loaded.image, detections, names);
    WriteImage(loaded.image, path);
    return path;
  }

 private:
  const PredictOptions& options_;
  std::set<std::string> taken_;
};

nlohmann::ordered_json ToJson(const std::vector<Detection>& detections, const std::vector<std::string>& names) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const Detection& detection : detections) {
    const Box& box = detection.box;
    list.push_back({{"class", detection.class_id},
                    {"name", names[detection.class_id]},
                    {"score", detection.score},
                    {"box", {box.x1, box.y1, box.x2, box.y2}}});
  }
  return list;
}

/// Results have the names of the images, and labels those of the images' labels: in the same folder they would replace
/// them.
void CheckNothingIsReplaced(const PredictOptions& options, const std::vector<std::string>& images) {
  const auto refuse = [](const fs::path& folder, const char* what) {
    ThrowInvalid({.what = fmt::format("the results would replace the {}", what),
                  .where = folder.string(),
                  .hint = "Give another folder with --save-dir."});
  };
  const fs::path drawn = options.save_dir, labels = drawn / "labels";
  std::error_code ignored;
  for (const std::string& image : images) {
    const fs::path folder = fs::path(image).parent_path(), label = LabelPath(image);
    if (!options.no_save && fs::equivalent(folder.empty() ? "." : folder, drawn, ignored)) refuse(drawn, "images");
    if (options.save_txt && fs::exists(label, ignored) && fs::equivalent(label.parent_path(), labels, ignored))
      refuse(labels, "labels");
  }
}

CommandResult Predict(const PredictOptions& options, const GlobalOptions& global) {
  const ImageFiles files = FindImages(options.images);
  for (const auto& path : files.unsupported) Log().warn("{}: an image format that Tenon doesn't read", path);
  if (files.paths.empty())
    ThrowInvalid({.what = "no images found",
                  .where = options.images.front(),
                  .expected = "image files, folders, globs or a .txt list"});
  CheckNothingIsReplaced(options, files.paths);
  if (!options.no_save || options.save_txt) CheckOutputFolder(options.save_dir);
  const LoadedModel model = LoadModel(options.model, global);
  Detector detector(model.engine, options.head.head, global.threads, model.batch);
  DetectOptions detect = DetectOptions::Predict();
  detect.conf = options.head.conf;
  detect.nms = options.head.Nms();
  Outputs outputs(options);
  DetectionPipeline pipeline(detector, files.paths,
                             {.rule = LetterboxRule::kPredict, .keep = KeepImage::kYes, .detect = detect});
  CommandResult result;
  result.json["images"] = nlohmann::ordered_json::array();
  size_t unreadable = 0;
  while (auto detected = pipeline.Next()) {
    CheckInterrupt();
    LoadedImage& image = detected->image;
    if (!image.error.empty()) {
      Log().error("{}", image.error);
      result.json["images"].push_back({{"image", image.path}, {"error", image.error}});
      ++unreadable;
      continue;
    }
    std::vector<Detection>& detections = detected->detections;
    BoxesToImage(detections, image.plan);
    const std::string line = fmt::format("image {}/{} {}: {}x{} {}, {:.1f} ms", image.index + 1, files.paths.size(),
                                         image.path, image.plan.image_height, image.plan.image_width,
                                         Summary(detections, detector.head().names), detected->times.inference_ms);
    if (!global.json && !global.quiet) fmt::print("{}\n", OneLine(line));
    const std::string saved = outputs.Save(image, detections, detector.head().names);
    result.json["images"].push_back(
        {{"image", image.path}, {"saved", saved}, {"detections", ToJson(detections, detector.head().names)}});
  }
  if (!options.no_save && unreadable < files.paths.size())
    result.text = fmt::format("results in {}\n", options.save_dir);
  if (unreadable == files.paths.size())
    ThrowInvalid({.what = "no image could be read", .got = fmt::format("{} unreadable images", unreadable)});
  return result;
}

}  // namespace

void AddPredict(CLI::App& app, CommandBody& body) {
  auto options = std::make_shared<PredictOptions>();
  CLI::App* command = app.add_subcommand("predict", "draw and print detections");
  AddModelFlags(*command, options->model);
  AddHeadFlags(*command, options->head);
  command->add_option("images", options->images, "image files, folders, globs, or a .txt list")->required();
  command->add_option("--save-dir", options->save_dir, "folder for the drawn images")->capture_default_str();
  command->add_flag("--save-txt", options->save_txt, "label files too, under SAVE_DIR/labels");
  command->add_flag("--save-conf", options->save_conf, "scores in the label files");
  command->add_flag("--no-save", options->no_save, "write no images");
  command->callback(
      [options, &body] { body = [options](const GlobalOptions& global) { return Predict(*options, global); }; });
}

}  // namespace tenon::cli
