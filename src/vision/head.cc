#include "vision/head.h"

#include <algorithm>
#include <array>

#include "base/error.h"
#include "vision/names.h"

namespace tenon {
namespace {

struct FlagRow {
  HeadKind kind;
  std::string_view flag;
};
constexpr std::array<FlagRow, 6> kFlags = {{{HeadKind::kV8, "v8"},
                                            {HeadKind::kV5, "v5"},
                                            {HeadKind::kEndToEnd, "end2end"},
                                            {HeadKind::kYolox, "yolox"},
                                            {HeadKind::kRtDetr, "rtdetr"},
                                            {HeadKind::kRtDetrTopK, "rtdetr-topk"}}};

std::string AllFlags() {
  std::string all;
  for (const FlagRow& row : kFlags) all += fmt::format("{}{}", all.empty() ? "" : ", ", row.flag);
  return all;
}

constexpr int64_t kMaxQueries = 1000;  // more boxes than this come from a grid, not from queries or a top-k
constexpr int64_t kMaxClasses = 100000;

using Metadata = std::map<std::string, std::string>;

std::string Value(const Metadata& metadata, const std::string& key) {
  const auto entry = metadata.find(key);
  return entry == metadata.end() ? std::string() : entry->second;
}

int64_t GridCells(int height, int width) {
  int64_t cells = 0;
  for (int stride : {8, 16, 32}) cells += static_cast<int64_t>(height / stride) * (width / stride);
  return cells;
}

std::string Describe(std::span<const OutputShape> outputs, const Metadata& metadata) {
  std::string text;
  for (const OutputShape& output : outputs) {
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", output.name, fmt::join(output.shape, "x"));
  }
  for (const char* key : {"task", "head", "end2end"}) {
    if (metadata.contains(key)) text += fmt::format(", {}={}", key, metadata.at(key));
  }
  return text + (metadata.contains("names") ? "" : ", no names");
}

/// Classes per kind for one rank-3 output; below 1 when the shape does not fit the kind.
class ShapeMatcher {
 public:
  ShapeMatcher(int64_t rows, int64_t columns, const Metadata& metadata, int named, int64_t cells)
      : rows_(rows), columns_(columns), named_(named), cells_(cells) {
    end_to_end_ = Value(metadata, "end2end") == "True" || Value(metadata, "end2end") == "true";
    top_k_ = Value(metadata, "head").find("RTDETR") != std::string::npos;
    const std::string task = Value(metadata, "task");
    extras_allowed_ = task == "segment" || task == "pose" || (task.empty() && named > 0);
  }

  std::optional<HeadKind> Guess() const {
    if (top_k_ && columns_ == 6) return HeadKind::kRtDetrTopK;
    if (end_to_end_ && columns_ >= 6) return HeadKind::kEndToEnd;
    if (top_k_ && Classes(HeadKind::kRtDetr) > 0) return HeadKind::kRtDetr;
    if (columns_ == 6 && rows_ <= kMaxQueries && rows_ != cells_) return HeadKind::kEndToEnd;
    if (Classes(HeadKind::kV8) > 0 && columns_ == cells_) return HeadKind::kV8;
    if (Classes(HeadKind::kV5) > 0 && rows_ == 3 * cells_) return HeadKind::kV5;
    if (Classes(HeadKind::kYolox) > 0 && rows_ == cells_) return HeadKind::kYolox;
    if (Classes(HeadKind::kRtDetr) > 0 && rows_ <= kMaxQueries && columns_ > 6) return HeadKind::kRtDetr;
    if (Classes(HeadKind::kV8) > 0 && columns_ > rows_) return HeadKind::kV8;
    if (Classes(HeadKind::kV5) > 0 && rows_ > columns_ && rows_ % 3 == 0 && named_ > 0) return HeadKind::kV5;
    return std::nullopt;
  }

  int64_t Classes(HeadKind kind) const {
    switch (kind) {
      case HeadKind::kV8:
        return Fit(rows_ - 4);
      case HeadKind::kV5:
        return Fit(columns_ - 5);
      case HeadKind::kYolox:
        return Exact(columns_ - 5);
      case HeadKind::kRtDetr:
        return Exact(columns_ - 4);
      case HeadKind::kEndToEnd:
        return columns_ >= 6 ? std::max(named_, 1) : 0;
      case HeadKind::kRtDetrTopK:
        return columns_ == 6 ? std::max(named_, 1) : 0;
    }
    return 0;
  }

 private:
  int64_t Exact(int64_t classes) const { return named_ > 0 && classes != named_ ? 0 : classes; }
  int64_t Fit(int64_t classes) const {
    return named_ > 0 && extras_allowed_ && classes >= named_ ? named_ : Exact(classes);
  }

  int64_t rows_, columns_;
  int named_;
  int64_t cells_;
  bool end_to_end_, top_k_, extras_allowed_;
};

void CheckTask(const Metadata& metadata) {
  const std::string task = Value(metadata, "task");
  if (task.empty() || task == "detect" || task == "segment" || task == "pose") return;
  ThrowInvalid({.what = "no upright boxes in this model's output",
                .got = fmt::format("task {}", task),
                .expected = "detect, segment or pose"});
}

std::vector<std::string> NamesFor(std::vector<std::string> names, int64_t classes) {
  while (static_cast<int64_t>(names.size()) < classes) names.push_back(fmt::format("class_{}", names.size()));
  return names;
}

}  // namespace

std::string_view HeadFlag(HeadKind kind) {
  return std::find_if(kFlags.begin(), kFlags.end(), [&](const FlagRow& row) { return row.kind == kind; })->flag;
}

HeadKind ParseHeadFlag(const std::string& flag) {
  for (const FlagRow& row : kFlags) {
    if (row.flag == flag) return row.kind;
  }
  ThrowInvalid({.what = "unknown head", .where = "--head", .got = flag, .expected = "one of " + AllFlags()});
}

Head RecogniseHead(const Metadata& metadata, std::span<const OutputShape> outputs, int input_height, int input_width,
                   std::optional<HeadKind> forced) {
  CheckTask(metadata);
  std::vector<std::string> names;
  if (metadata.contains("names")) names = ParseNames(metadata.at("names"));
  for (size_t i = 0; i < outputs.size(); ++i) {
    const std::vector<int64_t>& shape = outputs[i].shape;
    if (shape.size() != 3 || *std::min_element(shape.begin(), shape.end()) < 1) continue;
    const ShapeMatcher matcher(shape[1], shape[2], metadata, static_cast<int>(names.size()),
                               GridCells(input_height, input_width));
    const std::optional<HeadKind> kind = forced ? forced : matcher.Guess();
    if (!kind) continue;
    const int64_t classes = matcher.Classes(*kind);
    if (classes < 1 || classes > kMaxClasses) continue;
    const bool channels_first = *kind == HeadKind::kV8;
    return {.kind = *kind,
            .output = i,
            .num_classes = static_cast<int>(classes),
            .channels = channels_first ? shape[1] : shape[2],
            .boxes = channels_first ? shape[2] : shape[1],
            .input_height = input_height,
            .input_width = input_width,
            .names = NamesFor(std::move(names), classes)};
  }
  ThrowInvalid({.what = forced ? fmt::format("no output fits --head {}", HeadFlag(*forced))
                               : "can't tell how this model spells its boxes",
                .got = Describe(outputs, metadata),
                .expected = "a detection head with one box output of 3 dimensions",
                .hint = fmt::format("If it is one, name its kind: --head {}.", AllFlags())});
}

Preprocess DefaultPreprocess(const Head& head) {
  Preprocess preprocess{.height = head.input_height, .width = head.input_width};
  if (head.kind == HeadKind::kYolox) {
    preprocess.placement = Placement::kTopLeft;
    preprocess.order = ColorOrder::kBgr;
    preprocess.divisor = {1, 1, 1};
  } else if (head.kind == HeadKind::kRtDetr || head.kind == HeadKind::kRtDetrTopK) {
    preprocess.placement = Placement::kStretch;
  }
  return preprocess;
}

}  // namespace tenon
