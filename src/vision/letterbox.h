#pragma once
#include <array>
#include <span>
#include <vector>

#include "vision/box.h"
#include "vision/image.h"

namespace tenon {

enum class ColorOrder { kRgb, kBgr };

enum class Placement {
  kCentre,   ///< aspect ratio kept, borders on both sides (Ultralytics)
  kTopLeft,  ///< aspect ratio kept, borders right and below, scaled size cut to whole pixels (YOLOX)
  kStretch,  ///< no borders, the sides scaled apart (NanoDet, RT-DETR)
};

/// What a model wants to see: how an image becomes its 1 x 3 x height x width float input.
struct Preprocess {
  int height = 640, width = 640;
  Placement placement = Placement::kCentre;
  ColorOrder order = ColorOrder::kRgb;
  uint8_t pad_value = 114;
  /// value = (pixel - mean) / divisor in float32, per channel in the tensor's order
  std::array<float, 3> mean = {0, 0, 0};
  std::array<float, 3> divisor = {255, 255, 255};
};

/// Ultralytics' `val` scales the long side first and rounds the short one up; its `predict` letterboxes directly and
/// rounds to nearest. The pixels differ a little, so each command uses its own.
enum class LetterboxRule { kPredict, kVal };

/// Where an image of one size lands on the canvas, and the way back.
struct LetterboxPlan {
  int image_height = 0, image_width = 0;
  int first_height = 0, first_width = 0;    ///< size after val's own first resize; the image's size without one
  int scaled_height = 0, scaled_width = 0;  ///< size on the canvas
  int top = 0, left = 0;                    ///< of the scaled image on the canvas
  int canvas_height = 0, canvas_width = 0;
  double ratio_y = 1, ratio_x = 1;  ///< nominal ratio of the resize onto the canvas (labels are scaled by it)
  double gain_y = 1, gain_x = 1;    ///< canvas pixels per image pixel (boxes are divided by it)
};

/// Throws Error(kInvalidInput) when the canvas or the image has no area.
LetterboxPlan PlanLetterbox(int image_height, int image_width, const Preprocess& preprocess, LetterboxRule rule);

/// Scales images to their size on the canvas, pixels equal to Ultralytics' (OpenCV INTER_LINEAR). Keeps its memory from
/// image to image; not for two threads at once.
class ImageScaler {
 public:
  /// @param image must have the size that the plan was made for
  /// @return scaled_height x scaled_width; the image itself where it has that size. Valid until the next call.
  const Image& Scale(const Image& image, const LetterboxPlan& plan);

 private:
  Image first_, scaled_;
};

/// The canvas, canvas_height x canvas_width: the scaled image on its border.
/// @param image must have the size that the plan was made for
Image Letterbox(const Image& image, const LetterboxPlan& plan, const Preprocess& preprocess);

/// The element that a byte of the canvas becomes, by channel of the tensor and byte.
std::array<std::array<float, 256>, 3> ValueTables(const Preprocess& preprocess);

/// The model's input for one canvas. @param chw 3 * canvas height * width floats, planes in `order`
void CanvasToTensor(const Image& canvas, const Preprocess& preprocess, std::span<float> chw);

/// Canvas pixels to image pixels, clipped to the image.
Box BoxToImage(const Box& box, const LetterboxPlan& plan);
void BoxesToImage(std::span<Detection> detections, const LetterboxPlan& plan);

/// A label's box in canvas pixels, with the float32 roundings of Ultralytics' val: it matches boxes there.
Box TruthToCanvas(const Truth& truth, const LetterboxPlan& plan);

}  // namespace tenon
