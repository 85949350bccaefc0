#include "vision/label_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "base/interrupt.h"

namespace tenon {
namespace {

constexpr size_t kShownChars = 40, kShownLines = 100;
constexpr float kTolerance = 0.01f;  // labelling tools overshoot the border by rounding

std::vector<std::string_view> SplitWords(std::string_view line) {
  constexpr std::string_view kSpace = " \t\r\f\v";
  std::vector<std::string_view> words;
  for (size_t at = line.find_first_not_of(kSpace); at != std::string_view::npos;) {
    const size_t end = std::min(line.find_first_of(kSpace, at), line.size());
    words.push_back(line.substr(at, end - at));
    at = line.find_first_not_of(kSpace, end);
  }
  return words;
}

std::optional<float> ParseNumber(std::string_view word) {
  if (word.starts_with('+')) word.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc() || end != word.data() + word.size()) return std::nullopt;
  return static_cast<float>(value);
}

/// One line's numbers, and what is wrong with it if something is.
struct ParsedLine {
  std::vector<float> values;
  std::string problem;
};

ParsedLine ParseNumbers(const std::vector<std::string_view>& words) {
  ParsedLine line;
  for (std::string_view word : words) {
    const std::optional<float> value = ParseNumber(word);
    if (!value || !std::isfinite(*value)) {
      line.problem = fmt::format("got \"{}\", expected a finite number", word.substr(0, kShownChars));
      return line;
    }
    line.values.push_back(*value);
  }
  return line;
}

/// Centre and size from corners, in float32 as Ultralytics does it.
Truth BoundingBox(const std::vector<float>& values) {
  float x1 = values[1], x2 = x1, y1 = values[2], y2 = y1;
  for (size_t i = 3; i + 1 < values.size(); i += 2) {
    x1 = std::min(x1, values[i]);
    x2 = std::max(x2, values[i]);
    y1 = std::min(y1, values[i + 1]);
    y2 = std::max(y2, values[i + 1]);
  }
  return {.cx = (x1 + x2) / 2, .cy = (y1 + y2) / 2, .width = x2 - x1, .height = y2 - y1};
}

std::string CheckTruth(const Truth& truth, float class_value, const LabelRules& rules) {
  if (class_value != std::floor(class_value) || class_value < 0 ||
      class_value >= static_cast<float>(rules.num_classes)) {
    return fmt::format("got class {}, expected a whole number from 0 to {}", class_value, rules.num_classes - 1);
  }
  for (float v : {truth.cx, truth.cy, truth.width, truth.height}) {
    if (v > 1 + kTolerance) return fmt::format("got coordinate {}, expected at most 1", v);
    if (v < -kTolerance) return fmt::format("got coordinate {}, expected at least 0", v);
  }
  if (truth.width < 0 || truth.height < 0) {
    return fmt::format("got a box of {} x {}, expected a size of at least 0", truth.width, truth.height);
  }
  return {};
}

/// A label with what tells it from others: two different polygons may share class and box.
struct Entry {
  std::vector<float> key;
  Truth truth;
};

/// Fills the truth of one line; returns what is wrong with it, or nothing.
std::string MakeEntry(std::vector<float> values, const LabelRules& rules, Entry& entry) {
  const auto count = static_cast<int64_t>(values.size());
  if (rules.keypoint_values > 0 && count == 5 + rules.keypoint_values) values.resize(5);
  if (values.size() == 5) {
    entry.truth = {.cx = values[1], .cy = values[2], .width = values[3], .height = values[4]};
  } else if (count >= 7 && count % 2 == 1) {
    entry.truth = BoundingBox(values);
  } else {
    return fmt::format("got {} values, expected 5 (class cx cy width height) or a class and 3 or more points", count);
  }
  std::string problem = CheckTruth(entry.truth, values[0], rules);
  if (problem.empty()) entry.truth.class_id = static_cast<int>(values[0]);
  entry.key = std::move(values);
  return problem;
}

/// Ultralytics leaves a file's order alone unless it holds duplicates, which it removes by sorting.
int64_t RemoveDuplicates(std::vector<Entry>& entries) {
  std::vector<Entry> sorted = entries;
  std::stable_sort(sorted.begin(), sorted.end(), [](const Entry& a, const Entry& b) { return a.key < b.key; });
  const auto same = [](const Entry& a, const Entry& b) { return a.key == b.key; };
  sorted.erase(std::unique(sorted.begin(), sorted.end(), same), sorted.end());
  const auto removed = static_cast<int64_t>(entries.size() - sorted.size());
  if (removed > 0) entries = std::move(sorted);
  return removed;
}

}  // namespace

LabelFile ParseLabels(std::string_view text, const std::string& file_name, const LabelRules& rules) {
  CheckInterrupt();  // a data set has a hundred thousand of these
  LabelFile result;
  std::vector<Entry> entries;
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  int64_t number = 0;
  size_t bad_lines = 0;  // a file that is no label file may have millions
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::vector<std::string_view> words = SplitWords(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    ++number;
    if (words.empty()) continue;
    ParsedLine line = ParseNumbers(words);
    Entry entry;
    if (line.problem.empty()) line.problem = MakeEntry(std::move(line.values), rules, entry);
    if (line.problem.empty()) {
      entries.push_back(std::move(entry));
    } else if (++bad_lines <= kShownLines) {
      result.problems.push_back({file_name, number, line.problem});
    }
  }
  if (bad_lines > kShownLines) {
    result.problems.push_back({file_name, number, fmt::format("{} bad lines in all", bad_lines)});
  }
  result.duplicates_removed = RemoveDuplicates(entries);
  for (const Entry& entry : entries) result.truths.push_back(entry.truth);
  return result;
}

std::string LabelPath(const std::string& image_path) {
  constexpr std::string_view kImages = "/images/", kLabels = "/labels/";
  std::string path = image_path;
  if (const size_t at = path.rfind(kImages); at != std::string::npos) path.replace(at, kImages.size(), kLabels);
  const size_t dot = path.rfind('.');
  if (dot != std::string::npos && path.find('/', dot) == std::string::npos) path.resize(dot);
  return path + ".txt";
}

}  // namespace tenon
