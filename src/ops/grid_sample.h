#pragma once
#include <array>

#include "ir/op.h"

namespace tenon {

enum class GridMode { kLinear, kNearest, kCubic };
inline constexpr std::array<std::string_view, 3> kGridModeNames = {"linear", "nearest", "cubic"};

/// What is read outside of the tensor.
enum class GridPadding { kZeros, kBorder, kReflection };
inline constexpr std::array<std::string_view, 3> kGridPaddingNames = {"zeros", "border", "reflection"};

/// ONNX GridSample (opset 20): inputs x [N, C, spatial...] with one to three spatial dimensions, and grid
/// [N, out..., coordinates], coordinates in [-1, 1], the innermost dimension's first. Output: [N, C, out...].
/// A coordinate that is NaN or infinite counts as outside (zeros) or as the first element.
struct GridSample : OpBase<GridSample> {
  static constexpr std::string_view kName = "GridSample";
  GridMode mode = GridMode::kLinear;
  GridPadding padding = GridPadding::kZeros;
  bool align_corners = false;  ///< -1 and 1 are the centres of the corner elements, not their outer edges
  void VisitAttrs(AttrVisitor& visitor) override;
  std::vector<TensorType> Infer(std::span<const InferInput> inputs) const override;
  std::vector<Tensor> Evaluate(std::span<const Tensor> inputs) const override;
};

/// ONNX AffineGrid: inputs theta [N, 2, 3] or [N, 3, 4], size (i64: N, C, H, W or N, C, D, H, W). Output: the grid for
/// GridSample, [N, H, W, 2] or [N, D, H, W, 3].
struct AffineGrid : OpBase<AffineGrid> {
  static constexpr std::string_view kName = "AffineGrid";
  bool align_corners = false;
  void VisitAttrs(AttrVisitor& visitor) override;
  std::vector<TensorType> Infer(std::span<const InferInput> inputs) const override;
  std::vector<Tensor> Evaluate(std::span<const Tensor> inputs) const override;
};

}  // namespace tenon
