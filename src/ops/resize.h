#pragma once
#include <array>

#include "ir/op.h"

namespace tenon {

enum class ResizeMode { kNearest, kLinear, kCubic };
inline constexpr std::array<std::string_view, 3> kResizeModeNames = {"nearest", "linear", "cubic"};

/// How an output coordinate maps to an input coordinate; ONNX coordinate_transformation_mode.
enum class ResizeCoordinates {
  kHalfPixel,
  kHalfPixelSymmetric,
  kPytorchHalfPixel,
  kAlignCorners,
  kAsymmetric,
  kTfCropAndResize,
  kTfHalfPixelForNn,
};
inline constexpr std::array<std::string_view, 7> kResizeCoordinateNames = {
    "half_pixel", "half_pixel_symmetric", "pytorch_half_pixel",  "align_corners",
    "asymmetric", "tf_crop_and_resize",   "tf_half_pixel_for_nn"};

enum class NearestRounding { kRoundPreferFloor, kRoundPreferCeil, kFloor, kCeil };
inline constexpr std::array<std::string_view, 4> kNearestRoundingNames = {"round_prefer_floor", "round_prefer_ceil",
                                                                          "floor", "ceil"};

/// What becomes of `sizes` whose aspect ratio isn't the input's.
enum class AspectRatioPolicy { kStretch, kNotLarger, kNotSmaller };
inline constexpr std::array<std::string_view, 3> kAspectRatioPolicyNames = {"stretch", "not_larger", "not_smaller"};

/// ONNX Resize (opset 19). Inputs x, roi (only for tf_crop_and_resize), scales, sizes: exactly one of the last two is
/// present and not empty. They have one entry per axis of `axes` (empty: all).
struct Resize : OpBase<Resize> {
  static constexpr std::string_view kName = "Resize";
  ResizeMode mode = ResizeMode::kNearest;
  ResizeCoordinates coordinates = ResizeCoordinates::kHalfPixel;
  NearestRounding nearest = NearestRounding::kRoundPreferFloor;
  AspectRatioPolicy policy = AspectRatioPolicy::kStretch;
  std::vector<int64_t> axes;
  bool antialias = false;        ///< widens the filter of linear and cubic where the tensor shrinks
  bool exclude_outside = false;  ///< weights outside the tensor count 0 instead of repeating its border
  float cubic_coeff_a = -0.75f;
  float extrapolation_value = 0;  ///< of tf_crop_and_resize, where a coordinate is outside

  void VisitAttrs(AttrVisitor& visitor) override;
  std::vector<TensorType> Infer(std::span<const InferInput> inputs) const override;
  std::vector<Tensor> Evaluate(std::span<const Tensor> inputs) const override;
};

/// One axis of a Resize made concrete. `scale` is that of the coordinates; out / in where sizes were given.
struct ResizeAxis {
  int64_t in = 0, out = 0;
  double scale = 1;
  double roi_start = 0, roi_end = 1;
  bool IsIdentity() const;
};

/// Every axis of a tensor of `shape`, from Resize's operands (each may be a null or empty tensor).
std::vector<ResizeAxis> ResolveResize(const Resize& op, const Shape& shape, const Tensor& roi, const Tensor& scales,
                                      const Tensor& sizes);

/// The filter of one axis: output i is the sum over t < count of weight[i * count + t] * input[index[i * count + t]],
/// or the extrapolation value where outside[i].
struct ResizeTaps {
  int64_t count = 1;
  std::vector<int64_t> index;
  std::vector<double> weight;
  std::vector<bool> outside;
};
ResizeTaps MakeResizeTaps(const Resize& op, const ResizeAxis& axis);

}  // namespace tenon
