#pragma once
#include "ops/epilogue.h"

namespace tenon {

/// Convolution over NCW or NCHW (ONNX Conv). Inputs: x [N,IC,...], weights [OC,IC/groups,K...], bias [OC] (optional),
/// residual [N,OC,...] (optional), weight scales [OC] (with compute=i8 alone), factors [OC]
/// (optional, with out=u8 alone; see Epilogue). auto_pad is resolved at import: `pads` is all begins, then all ends.
struct Conv : OpBase<Conv> {
  static constexpr std::string_view kName = "Conv";
  std::vector<int64_t> strides, dilations, pads;  ///< empty: 1s, 1s, 0s; an importer fills them
  int64_t groups = 1;
  /// 2: there is a second output [N,OC,2*OH,2*OW], the first one repeated over 2x2 pixels (a nearest upsample), which
  /// the same kernel stores. Images only.
  int64_t upsample = 1;
  Epilogue epilogue;

  void VisitAttrs(AttrVisitor& visitor) override;
  std::vector<TensorType> Infer(std::span<const InferInput> inputs) const override;
  std::vector<Tensor> Evaluate(std::span<const Tensor> inputs) const override;
  Cost EstimateCost(std::span<const TensorType> inputs, std::span<const TensorType> outputs) const override;
};

/// Transposed convolution (ONNX ConvTranspose), weights [IC, OC/groups, K...]; operands as Conv.
/// output_shape and auto_pad are resolved at import into pads and output_padding.
struct ConvTranspose : OpBase<ConvTranspose> {
  static constexpr std::string_view kName = "ConvTranspose";
  std::vector<int64_t> strides, dilations, pads, output_padding;
  int64_t groups = 1;
  Epilogue epilogue;

  void VisitAttrs(AttrVisitor& visitor) override;
  std::vector<TensorType> Infer(std::span<const InferInput> inputs) const override;
  std::vector<Tensor> Evaluate(std::span<const Tensor> inputs) const override;
  Cost EstimateCost(std::span<const TensorType> inputs, std::span<const TensorType> outputs) const override;
};

}  // namespace tenon
