#pragma once
#include <array>

#include "ir/op.h"

namespace tenon {

enum class PadMode { kConstant, kReflect, kEdge, kWrap };
inline constexpr std::array<std::string_view, 4> kPadModeNames = {"constant", "reflect", "edge", "wrap"};

/// ONNX Pad (opset 19): inputs x, pads (i64; begins, then ends; negative ones crop), value (optional, one element of
/// x's type), axes (optional, i64).
struct Pad : OpBase<Pad> {
  static constexpr std::string_view kName = "Pad";
  PadMode mode = PadMode::kConstant;
  OpClass op_class() const override { return OpClass::kIndex; }
  void VisitAttrs(AttrVisitor& visitor) override;
  std::vector<TensorType> Infer(std::span<const InferInput> inputs) const override;
  std::vector<Tensor> Evaluate(std::span<const Tensor> inputs) const override;
};

/// What Pad adds to one axis.
struct PadRange {
  int64_t before = 0, after = 0;
};
/// The padding of every axis of a tensor of `shape`, from Pad's operands (axes may be null).
std::vector<PadRange> ResolvePads(const Shape& shape, const Tensor& pads, const Tensor& axes);

/// ONNX Tile: inputs x, repeats (i64, one per axis).
struct Tile : OpBase<Tile> {
  static constexpr std::string_view kName = "Tile";
  OpClass op_class() const override { return OpClass::kIndex; }
  std::vector<TensorType> Infer(std::span<const InferInput> inputs) const override;
  std::vector<Tensor> Evaluate(std::span<const Tensor> inputs) const override;
};

/// ONNX CenterCropPad: inputs x, shape (i64, of `axes`; empty: all); crops or pads with zeros around the centre.
struct CenterCropPad : OpBase<CenterCropPad> {
  static constexpr std::string_view kName = "CenterCropPad";
  std::vector<int64_t> axes;
  OpClass op_class() const override { return OpClass::kIndex; }
  void VisitAttrs(AttrVisitor& visitor) override;
  std::vector<TensorType> Infer(std::span<const InferInput> inputs) const override;
  std::vector<Tensor> Evaluate(std::span<const Tensor> inputs) const override;
};

}  // namespace tenon
