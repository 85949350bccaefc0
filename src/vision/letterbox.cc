#include "vision/letterbox.h"

#include <algorithm>
#include <cmath>
#include <mutex>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

#include "base/error.h"

namespace tenon {
namespace {

/// Half to even, as Python's round().
int RoundEven(double value) { return static_cast<int>(std::nearbyint(value)); }

cv::Mat View(const Image& image) {
  return cv::Mat(image.height, image.width, CV_8UC3, const_cast<uint8_t*>(image.bgr.data()));
}

/// `image` itself where it has that size, else it scaled into `to`.
const Image& Resize(const Image& image, int height, int width, Image& to) {
  if (image.height == height && image.width == width) return image;
  // Images are the parallel unit here; OpenCV's own threads would fight the inference's.
  static std::once_flag once;
  std::call_once(once, [] { cv::setNumThreads(1); });
  to.height = height;
  to.width = width;
  to.bgr.resize(static_cast<size_t>(height) * static_cast<size_t>(width) * 3);
  cv::resize(View(image), View(to), cv::Size(width, height), 0, 0, cv::INTER_LINEAR);
  return to;
}

/// val's own first step: long side to the longer side of the canvas, the short one rounded up.
void PlanFirstResize(LetterboxPlan& plan) {
  const int target = std::max(plan.canvas_height, plan.canvas_width);
  const double r = static_cast<double>(target) / std::max(plan.image_height, plan.image_width);
  if (r == 1) return;
  plan.first_width = static_cast<int>(std::min<double>(std::ceil(plan.image_width * r), target));
  plan.first_height = static_cast<int>(std::min<double>(std::ceil(plan.image_height * r), target));
}

void PlanStretch(LetterboxPlan& plan) {
  plan.scaled_height = plan.canvas_height;
  plan.scaled_width = plan.canvas_width;
  plan.gain_y = plan.ratio_y = static_cast<double>(plan.canvas_height) / plan.image_height;
  plan.gain_x = plan.ratio_x = static_cast<double>(plan.canvas_width) / plan.image_width;
}

void PlanTopLeft(LetterboxPlan& plan, double r) {
  plan.scaled_height = std::max(static_cast<int>(plan.image_height * r), 1);
  plan.scaled_width = std::max(static_cast<int>(plan.image_width * r), 1);
  plan.gain_y = plan.gain_x = plan.ratio_y = plan.ratio_x = r;
}

void PlanCentre(LetterboxPlan& plan, double r) {
  plan.ratio_y = plan.ratio_x = r;
  plan.scaled_height = std::max(RoundEven(plan.first_height * r), 1);
  plan.scaled_width = std::max(RoundEven(plan.first_width * r), 1);
  plan.top = RoundEven((plan.canvas_height - plan.scaled_height) / 2.0 - 0.1);
  plan.left = RoundEven((plan.canvas_width - plan.scaled_width) / 2.0 - 0.1);
}

}  // namespace

LetterboxPlan PlanLetterbox(int image_height, int image_width, const Preprocess& preprocess, LetterboxRule rule) {
  if (image_height <= 0 || image_width <= 0 || preprocess.height <= 0 || preprocess.width <= 0) {
    ThrowInvalid("can't letterbox: got image {} x {} onto {} x {}, expected positive sizes", image_height, image_width,
                 preprocess.height, preprocess.width);
  }
  LetterboxPlan plan{.image_height = image_height,
                     .image_width = image_width,
                     .first_height = image_height,
                     .first_width = image_width,
                     .canvas_height = preprocess.height,
                     .canvas_width = preprocess.width};
  const auto fit = [&](int height, int width) {
    return std::min(static_cast<double>(plan.canvas_height) / height, static_cast<double>(plan.canvas_width) / width);
  };
  if (preprocess.placement == Placement::kStretch) {
    PlanStretch(plan);
  } else if (preprocess.placement == Placement::kTopLeft) {
    PlanTopLeft(plan, fit(image_height, image_width));
  } else if (rule == LetterboxRule::kPredict) {
    PlanCentre(plan, fit(image_height, image_width));
    plan.gain_y = static_cast<double>(plan.scaled_height) / image_height;
    plan.gain_x = static_cast<double>(plan.scaled_width) / image_width;
  } else {
    PlanFirstResize(plan);
    PlanCentre(plan, std::min(fit(plan.first_height, plan.first_width), 1.0));  // val never scales up here
    plan.gain_y = static_cast<double>(plan.first_height) / image_height * plan.ratio_y;
    plan.gain_x = static_cast<double>(plan.first_width) / image_width * plan.ratio_x;
  }
  return plan;
}

const Image& ImageScaler::Scale(const Image& image, const LetterboxPlan& plan) {
  TENON_CHECK(image.height == plan.image_height && image.width == plan.image_width);
  const Image& first = Resize(image, plan.first_height, plan.first_width, first_);
  return Resize(first, plan.scaled_height, plan.scaled_width, scaled_);
}

Image Letterbox(const Image& image, const LetterboxPlan& plan, const Preprocess& preprocess) {
  ImageScaler scaler;
  const Image& scaled = scaler.Scale(image, plan);
  Image canvas(plan.canvas_height, plan.canvas_width);
  std::fill(canvas.bgr.begin(), canvas.bgr.end(), preprocess.pad_value);
  View(scaled).copyTo(View(canvas)(cv::Rect(plan.left, plan.top, plan.scaled_width, plan.scaled_height)));
  return canvas;
}

std::array<std::array<float, 256>, 3> ValueTables(const Preprocess& preprocess) {
  std::array<std::array<float, 256>, 3> tables;
  for (size_t c = 0; c < 3; ++c) {
    for (size_t v = 0; v < 256; ++v)
      tables[c][v] = (static_cast<float>(v) - preprocess.mean[c]) / preprocess.divisor[c];
  }
  return tables;
}

void CanvasToTensor(const Image& canvas, const Preprocess& preprocess, std::span<float> chw) {
  const size_t plane = static_cast<size_t>(canvas.height) * canvas.width;
  TENON_CHECK(chw.size() == 3 * plane, "{} floats for a canvas of {} pixels", chw.size(), plane);
  const auto tables = ValueTables(preprocess);
  for (size_t c = 0; c < 3; ++c) {
    const std::array<float, 256>& table = tables[c];
    const uint8_t* source = canvas.bgr.data() + (preprocess.order == ColorOrder::kRgb ? 2 - c : c);
    float* target = chw.data() + c * plane;
    for (size_t i = 0; i < plane; ++i) target[i] = table[source[3 * i]];
  }
}

Box BoxToImage(const Box& box, const LetterboxPlan& plan) {
  const auto back = [](float v, int pad, double gain, int limit) {
    return std::clamp((v - static_cast<float>(pad)) / static_cast<float>(gain), 0.0f, static_cast<float>(limit));
  };
  return {
      back(box.x1, plan.left, plan.gain_x, plan.image_width), back(box.y1, plan.top, plan.gain_y, plan.image_height),
      back(box.x2, plan.left, plan.gain_x, plan.image_width), back(box.y2, plan.top, plan.gain_y, plan.image_height)};
}

void BoxesToImage(std::span<Detection> detections, const LetterboxPlan& plan) {
  for (Detection& detection : detections) detection.box = BoxToImage(detection.box, plan);
}

Box TruthToCanvas(const Truth& truth, const LetterboxPlan& plan) {
  struct Interval {
    float low, high;
  };
  // Labels go through pixels of the scaled image, fractions of the canvas, and canvas pixels, each step in float32.
  const auto map = [](float centre, float size, int first, double ratio, int pad, int canvas) -> Interval {
    const auto to_canvas = [&](float v) {
      return v * static_cast<float>(first) * static_cast<float>(ratio) + static_cast<float>(pad);
    };
    const float low = to_canvas(centre - size / 2), high = to_canvas(centre + size / 2);
    const float c = (low + high) / 2 / static_cast<float>(canvas), half = (high - low) / static_cast<float>(canvas) / 2;
    return {(c - half) * static_cast<float>(canvas), (c + half) * static_cast<float>(canvas)};
  };
  const Interval x = map(truth.cx, truth.width, plan.first_width, plan.ratio_x, plan.left, plan.canvas_width);
  const Interval y = map(truth.cy, truth.height, plan.first_height, plan.ratio_y, plan.top, plan.canvas_height);
  return {x.low, y.low, x.high, y.high};
}

}  // namespace tenon
