#include "vision/draw.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

namespace tenon {
namespace {

constexpr int kFont = cv::FONT_HERSHEY_SIMPLEX;

/// Sizes for one image: a line is about 1/330 of its mean side, letters about six lines high.
struct Pen {
  int line;
  double font_scale;
  int stroke;

  explicit Pen(const Image& image)
      : line(std::max(static_cast<int>(std::lround((image.height + image.width) / 2.0 * 0.003)), 1)),
        font_scale(std::max(line, 2) / 4.0),
        stroke(std::max(line - 1, 1)) {}
};

std::string Label(const Detection& detection, const std::vector<std::string>& names) {
  const bool named = detection.class_id >= 0 && static_cast<size_t>(detection.class_id) < names.size();
  const std::string name = named ? names[detection.class_id] : fmt::format("class_{}", detection.class_id);
  std::string ascii;
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f) {
      ascii.push_back(c);
    } else if ((byte & 0xc0) != 0x80) {  // one "?" per UTF-8 character
      ascii.push_back('?');
    }
  }
  return fmt::format("{} {:.2f}", ascii, detection.score);
}

cv::Scalar TextColor(const std::array<uint8_t, 3>& background) {
  const double luminance = 0.114 * background[0] + 0.587 * background[1] + 0.299 * background[2];
  return luminance > 130 ? cv::Scalar(0, 0, 0) : cv::Scalar(255, 255, 255);
}

/// Above the box if there is room, else inside its top edge; moved so that all of it is in the image, and made smaller
/// where the image is narrower than the text.
void DrawLabel(cv::Mat& canvas, const std::string& text, cv::Point corner, Pen pen,
               const std::array<uint8_t, 3>& color) {
  int baseline = 0;
  cv::Size size = cv::getTextSize(text, kFont, pen.font_scale, pen.stroke, &baseline);
  const int room = canvas.cols - 2 * pen.line;
  if (size.width > room && room > 0) {
    pen.font_scale *= static_cast<double>(room) / size.width;
    pen.stroke = 1;
    size = cv::getTextSize(text, kFont, pen.font_scale, pen.stroke, &baseline);
  }
  const int width = size.width + 2 * pen.line, height = size.height + baseline + pen.line;
  const int x = std::clamp(corner.x, 0, std::max(canvas.cols - width, 0));
  const int above = corner.y - height;
  const int y = std::clamp(above >= 0 ? above : corner.y, 0, std::max(canvas.rows - height, 0));
  cv::rectangle(canvas, cv::Rect(x, y, width, height), cv::Scalar(color[0], color[1], color[2]), cv::FILLED);
  cv::putText(canvas, text, cv::Point(x + pen.line, y + size.height + pen.line), kFont, pen.font_scale,
              TextColor(color), pen.stroke, cv::LINE_AA);
}

}  // namespace

std::array<uint8_t, 3> ClassColor(int class_id) {
  // Hues a golden-ratio turn apart: any run of classes is spread evenly over the circle.
  const double hue = std::fmod(static_cast<double>(class_id) * 0.61803398875 + 0.02, 1.0) * 6;
  const auto channel = [&](double offset) {
    const double k = std::fmod(offset + hue, 6.0);
    const double value = 0.95 - 0.95 * 0.8 * std::clamp(std::min(k, 4 - k), 0.0, 1.0);
    return static_cast<uint8_t>(std::lround(255 * value));
  };
  return {channel(1), channel(3), channel(5)};
}

void DrawDetections(Image& image, std::span<const Detection> detections, const std::vector<std::string>& names) {
  cv::Mat canvas(image.height, image.width, CV_8UC3, image.bgr.data());
  const Pen pen(image);
  // The best ones last, so that nothing covers their labels.
  for (size_t i = detections.size(); i-- > 0;) {
    const Detection& detection = detections[i];
    const Box& box = detection.box;
    if (!std::isfinite(box.x1 + box.y1 + box.x2 + box.y2)) continue;
    const auto pixel = [](float v, int limit) {
      return static_cast<int>(std::lround(std::clamp(v, 0.0f, static_cast<float>(limit - 1))));
    };
    const cv::Point corner(pixel(box.x1, image.width), pixel(box.y1, image.height));
    const cv::Point opposite(pixel(box.x2, image.width), pixel(box.y2, image.height));
    const std::array<uint8_t, 3> color = ClassColor(detection.class_id);
    cv::rectangle(canvas, corner, opposite, cv::Scalar(color[0], color[1], color[2]), pen.line, cv::LINE_AA);
    DrawLabel(canvas, Label(detection, names), corner, pen, color);
  }
}

}  // namespace tenon
