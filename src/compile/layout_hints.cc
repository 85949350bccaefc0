#include "compile/layout_hints.h"

#include "ops/conv.h"
#include "ops/matmul.h"
#include "ops/pool.h"

namespace tenon {
namespace {

constexpr LayoutHint kChannelsLast = {.axis = 1, .required = true};
constexpr LayoutHint kPreferChannelsLast = {.axis = 1};

int LastAxis(const Value& value) { return static_cast<int>(value.shape().size()) - 1; }

/// Kernels take few channels of FP32 one element at a time, so any channel stride is right: a planar image is read as
/// it is. Half and INT8 are read in pairs and more.
LayoutHint ConvInputHint(const Value& input) {
  return {.axis = 1, .required = input.dtype() != DType::kFloat32 || input.shape()[1] > 8};
}

}  // namespace

LayoutHint InputHint(const Node& node, size_t index) {
  const Value* input = node.input(index);
  if (!input || !input->has_shape() || input->is_constant()) return {};
  const int rank = static_cast<int>(input->shape().size());
  if (const auto* conv = node.As<Conv>()) {
    if (rank != 4) return {};
    return index == 0 ? ConvInputHint(*input) : index == 3 ? kChannelsLast : LayoutHint{};
  }
  if (const auto* conv = node.As<ConvTranspose>()) {
    if (rank != 4) return {};
    return index == 0 ? ConvInputHint(*input) : index == 3 ? kChannelsLast : LayoutHint{};
  }
  if (node.As<MatMul>() || node.As<Attention>()) {
    return rank < 2 ? LayoutHint{} : LayoutHint{.axis = LastAxis(*input), .other_axis = LastAxis(*input) - 1};
  }
  if (node.As<Pool>() && rank == 4) return kPreferChannelsLast;
  if (node.op().name() == "Resize" && rank == 4 && index == 0) return kPreferChannelsLast;
  return {};
}

LayoutHint OutputHint(const Node& node, size_t index) {
  const Value* output = node.outputs()[index];
  if (!output || !output->has_shape()) return {};
  const int rank = static_cast<int>(output->shape().size());
  if ((node.As<Conv>() || node.As<ConvTranspose>()) && rank == 4) return kChannelsLast;
  if (node.As<MatMul>() || node.As<Attention>())
    return rank < 2 ? LayoutHint{} : LayoutHint{.axis = rank - 1, .required = true};
  const bool is_indices = node.As<Pool>() && index == 1;
  if ((node.As<Pool>() || node.op().name() == "Resize") && rank == 4 && !is_indices) return kPreferChannelsLast;
  return {};
}

}  // namespace tenon
