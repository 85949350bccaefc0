#pragma once
#include <array>

#include "ir/op.h"

namespace tenon {

enum class PoolKind { kMax, kAverage, kLp };
inline constexpr std::array<std::string_view, 3> kPoolNames = {"max", "average", "lp"};

/// ONNX MaxPool, AveragePool (1-D to 3-D). auto_pad is resolved at import into `pads`. Global pools are imported as
/// Reduce over the spatial axes. Outputs: y, for max the indices (i64, flat; usually dropped), and y of each further
/// stage; a maximum leaves NaN out.
struct Pool : OpBase<Pool> {
  static constexpr std::string_view kName = "Pool";
  PoolKind kind = PoolKind::kMax;
  std::vector<int64_t> kernel, strides, dilations, pads;  ///< empty strides, dilations, pads: 1s, 1s, 0s
  bool ceil_mode = false;
  bool count_include_pad = false;
  bool column_major_indices = false;  ///< ONNX storage_order = 1
  int64_t p = 2;                      ///< of kLp
  /// More than 1, of maxima that keep the size at stride 1: each further stage is this pool of the result before.
  int64_t stages = 1;
  void VisitAttrs(AttrVisitor& visitor) override;
  std::vector<TensorType> Infer(std::span<const InferInput> inputs) const override;
  std::vector<Tensor> Evaluate(std::span<const Tensor> inputs) const override;
  Cost EstimateCost(std::span<const TensorType> inputs, std::span<const TensorType> outputs) const override;
};

/// The output that holds y of a stage, counted from 0: the indices stand behind the first.
inline size_t StageOutput(int64_t stage) { return stage == 0 ? 0 : static_cast<size_t>(stage) + 1; }
/// The pool of one stage that gives stage `stage` from the input at once: maxima of maxima are those of wider windows.
Pool StageFromInput(const Pool& pool, int64_t stage);

}  // namespace tenon
