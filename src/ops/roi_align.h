#pragma once
#include <array>

#include "ir/op.h"

namespace tenon {

enum class RoiPooling { kAverage, kMax };
inline constexpr std::array<std::string_view, 2> kRoiPoolingNames = {"avg", "max"};

/// ONNX RoiAlign (opset 16): inputs x [N, C, H, W], rois [R, 4] (x1, y1, x2, y2), batch_indices i64 [R].
/// Output: [R, C, output_height, output_width].
struct RoiAlign : OpBase<RoiAlign> {
  static constexpr std::string_view kName = "RoiAlign";
  RoiPooling pooling = RoiPooling::kAverage;
  bool half_pixel = true;  ///< pixel centres lie at halves; else ROIs are at least one element large
  int64_t output_height = 1, output_width = 1;
  int64_t sampling_ratio = 0;  ///< samples per bin and axis; 0: as many as the bin has elements
  float spatial_scale = 1;
  void VisitAttrs(AttrVisitor& visitor) override;
  std::vector<TensorType> Infer(std::span<const InferInput> inputs) const override;
  std::vector<Tensor> Evaluate(std::span<const Tensor> inputs) const override;
};

}  // namespace tenon
