#include "evaluate/bootstrap.h"

#include <algorithm>
#include <map>
#include <random>

#include "base/error.h"
#include "base/interrupt.h"
#include "evaluate/curves.h"

namespace tenon {

ResampledMap::ResampledMap(std::span<const ScoredImage> images) : images_(images.size()) {
  for (size_t i = 0; i < images.size(); ++i) {
    const auto image = static_cast<uint32_t>(i);
    std::map<int, int> labels;
    for (const LabelledBox& label : images[i].labels) ++labels[label.class_id];
    const int classes = labels.empty() ? 0 : labels.rbegin()->first + 1;
    if (static_cast<size_t>(classes) > classes_.size()) classes_.resize(static_cast<size_t>(classes));
    for (const auto& [class_id, count] : labels)
      classes_[static_cast<size_t>(class_id)].labels.push_back({image, count});
  }
  for (size_t i = 0; i < images.size(); ++i) {
    for (const auto& match : UltralyticsMetrics::MatchImage(images[i].detections, images[i].labels)) {
      if (match.class_id < 0 || static_cast<size_t>(match.class_id) >= classes_.size()) continue;
      classes_[static_cast<size_t>(match.class_id)].entries.push_back(
          {match.score, static_cast<uint32_t>(i), match.correct});
    }
  }
  for (Class& matches : classes_) {
    std::stable_sort(matches.entries.begin(), matches.entries.end(),
                     [](const Entry& a, const Entry& b) { return a.score > b.score; });
  }
}

double ResampledMap::MeanAp(std::span<const int> times) const {
  TENON_CHECK(times.size() == images_, "{} of {} images", times.size(), images_);
  double sum = 0;
  int counted = 0;
  for (const Class& matches : classes_) {
    int64_t labels = 0;
    for (const LabelCount& count : matches.labels) labels += int64_t{count.labels} * times[count.image];
    if (labels == 0) continue;
    sum += ClassAp(matches, labels, times);
    ++counted;
  }
  return counted == 0 ? 0 : sum / counted;
}

double ResampledMap::ClassAp(const Class& matches, int64_t labels, std::span<const int> times) {
  double sum = 0;
  std::vector<double> recall, precision;
  for (int t = 0; t < UltralyticsMetrics::kThresholds; ++t) {
    recall.clear();
    precision.clear();
    int64_t seen = 0, correct = 0;
    bool pending = false;  // wrong ones since the last point
    const auto add_point = [&] {
      recall.push_back(static_cast<double>(correct) / static_cast<double>(labels));
      precision.push_back(static_cast<double>(correct) / static_cast<double>(seen));
      pending = false;
    };
    // Among neighbours at one recall only the first and the last shape the precision envelope: the wrong ones between
    // are left out, which is most of a detector's output at val's low threshold.
    for (const Entry& entry : matches.entries) {
      const int count = times[entry.image];
      if (count == 0) continue;
      if (!(entry.correct >> t & 1)) {
        seen += count;
        pending = true;
        continue;
      }
      if (pending) add_point();
      seen += count;
      correct += count;
      add_point();
    }
    if (pending) add_point();
    if (!recall.empty()) sum += AveragePrecision(recall, precision);
  }
  return sum / UltralyticsMetrics::kThresholds;
}

Interval BootstrapDifference(const ResampledMap& a, const ResampledMap& b, const BootstrapOptions& options) {
  TENON_CHECK(a.images() == b.images() && a.images() > 0, "{} and {} images", a.images(), b.images());
  TENON_CHECK(options.resamples > 0, "{} resamples", options.resamples);
  std::mt19937_64 random(options.seed);  // its numbers are the same everywhere, those of distributions are not
  std::vector<int> times(a.images());
  std::vector<double> differences;
  for (int i = 0; i < options.resamples; ++i) {
    CheckInterrupt();
    std::fill(times.begin(), times.end(), 0);
    for (size_t k = 0; k < times.size(); ++k) ++times[random() % times.size()];
    differences.push_back(a.MeanAp(times) - b.MeanAp(times));
  }
  std::sort(differences.begin(), differences.end());
  const auto quantile = [&](double q) {
    return differences[static_cast<size_t>(q * static_cast<double>(differences.size() - 1) + 0.5)];
  };
  return {quantile(0.025), quantile(0.975)};
}

}  // namespace tenon
