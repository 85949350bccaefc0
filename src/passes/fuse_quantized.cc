#include "passes/fuse_quantized.h"

#include <algorithm>
#include <cmath>

#include "ops/conv.h"
#include "ops/matmul.h"
#include "ops/quantize.h"
#include "passes/fusable.h"
#include "passes/quantized_values.h"
#include "passes/rewrite.h"

namespace tenon {
namespace {

/// The largest product of a u8 less its zero point and an i8.
constexpr int64_t kLargestProduct = 255 * 128;

struct QuantizedWeights {
  Tensor elements;  ///< i8
  Tensor scales;    ///< f32 [OC]
};

bool AllElementsAre(const Tensor& tensor, int64_t number) {
  for (int64_t i = 0; i < tensor.elems(); ++i) {
    if (tensor.AsInt(i) != number) return false;
  }
  return true;
}

/// u8 around 128 as i8 around 0.
Tensor Recentred(const Tensor& weights) {
  Tensor result(DType::kInt8, weights.shape());
  for (int64_t i = 0; i < weights.elems(); ++i) result.data<int8_t>()[i] = static_cast<int8_t>(weights.AsInt(i) - 128);
  return result;
}

/// One scale per output channel from one element or one per index of the channels' axis; nothing for others.
std::optional<Tensor> ChannelScales(const DequantizeLinear& op, const Value* scale, const Shape& weights, size_t axis) {
  if (!scale->is_constant() || op.block_size != 0 || scale->constant().rank() > 1) return {};
  const Tensor given = scale->constant().CastTo(DType::kFloat32);
  const int64_t channels = weights[axis],
                own_axis = op.axis < 0 ? op.axis + static_cast<int64_t>(weights.size()) : op.axis;
  if (given.elems() != 1 && (own_axis != static_cast<int64_t>(axis) || given.elems() != channels)) return {};
  std::vector<float> scales(static_cast<size_t>(channels), given.data<float>()[0]);
  if (given.elems() != 1) std::copy_n(given.data<float>(), channels, scales.begin());
  if (!std::all_of(scales.begin(), scales.end(), [](float s) { return std::isfinite(s); })) return {};
  return Tensor::Of<float>({channels}, scales);
}

/// @param axis of the output channels
std::optional<QuantizedWeights> WeightsOf(const Value* value, size_t axis) {
  const Node* node = ProducerOf<DequantizeLinear>(value);
  if (!node || value->dtype() != DType::kFloat32 || !node->input(0)->is_constant()) return {};
  const Tensor& stored = node->input(0)->constant();
  if ((stored.dtype() != DType::kInt8 && stored.dtype() != DType::kUInt8) ||
      stored.rank() <= static_cast<int64_t>(axis) || stored.elems() == 0)
    return {};
  const int64_t centre = stored.dtype() == DType::kUInt8 ? 128 : 0;
  const Value* zero_point = node->input(2);
  if (zero_point && !zero_point->is_constant()) return {};
  if (zero_point ? !AllElementsAre(zero_point->constant(), centre) : centre != 0) return {};
  auto scales = ChannelScales(*node->As<DequantizeLinear>(), node->input(1), stored.shape(), axis);
  if (!scales) return {};
  return QuantizedWeights{centre == 0 ? stored : Recentred(stored), *std::move(scales)};
}

bool SumsFit32Bits(const Shape& weights, size_t axis) {
  return ElemCount(weights) / weights[axis] <= INT32_MAX / kLargestProduct;
}

/// The u8 type of a value that DequantizeLinear makes.
std::optional<AffineScale> UnsignedSource(const Value* value) {
  const auto type = DequantizedFrom(value);
  if (!type || type->dtype != DType::kUInt8) return {};
  return type->affine;
}

/// The one Q to u8 that reads the value and nobody else does.
Node* StoringQuantizer(const Graph& graph, const Value* value) {
  Node* reader = SoleUser(graph, value);
  const auto type = reader && reader->As<QuantizeLinear>() ? QuantizedTypeOf(reader) : std::nullopt;
  return type && type->dtype == DType::kUInt8 && reader->input(0) == value ? reader : nullptr;
}

/// Factors of a Conv's channels, positive and finite, from a Mul by constants that alone reads its result.
std::optional<std::vector<float>> FactorsAfter(const Graph& graph, const Node& node) {
  if (!node.As<Conv>()) return {};
  const Node* mul = SoleUser(graph, node.output());
  const auto* binary = mul ? mul->As<Binary>() : nullptr;
  if (!binary || binary->kind != BinaryKind::kMul || mul->input(0) != node.output() ||
      !SameShape(node.output(), mul->output()))
    return {};
  const auto values = PerChannelValues(mul->input(1), mul->output()->shape(), 1);
  if (!values) return {};
  std::vector<float> factors(values->begin(), values->end());
  const bool fit = std::all_of(factors.begin(), factors.end(), [](float f) { return f > 0 && std::isfinite(f); });
  return fit ? std::optional(std::move(factors)) : std::nullopt;
}

/// A Conv, or a MatMul by one matrix.
bool IsDense(const Node& node) {
  return node.As<Conv>() || (node.As<MatMul>() && node.input(kWeightsOperand)->has_shape() &&
                             node.input(kWeightsOperand)->shape().size() == 2);
}

bool IsPlainFloatDense(const Node& node) {
  if (!IsDense(node) || node.outputs().size() != 1) return false;
  const Epilogue& epilogue = *EpilogueOf(node.op());
  if (epilogue.compute != DType::kFloat32 || epilogue.out != DType::kFloat32) return false;
  const Value* bias = node.input(kBiasOperand);
  return !bias || (bias->is_constant() && bias->dtype() == DType::kFloat32);
}

/// Lets the epilogue store what the one Q behind the node would, factors before it included; the value that it then
/// makes, null without such a Q.
Value* TakeStoringQuantizer(Graph& graph, const Node& node, Epilogue& epilogue, std::vector<Value*>& operands) {
  const auto factors = FactorsAfter(graph, node);
  const Value* real = factors ? SoleUser(graph, node.output())->output() : node.output();
  Node* quantizer = StoringQuantizer(graph, real);
  if (!quantizer) return nullptr;
  epilogue.out = DType::kUInt8;
  epilogue.quantization.y = QuantizedTypeOf(quantizer)->affine;
  if (factors) {
    operands.resize(kFactorOperand + 1, nullptr);
    const Tensor constant = Tensor::Of<float>({static_cast<int64_t>(factors->size())}, *factors);
    operands[kFactorOperand] = graph.AddConstant(constant, node.name() + ".factors");
  }
  return quantizer->output();
}

bool FuseDense(Graph& graph, Node* node) {
  if (!IsPlainFloatDense(*node)) return false;
  const size_t channel_axis = node->As<MatMul>() ? 1 : 0;
  const auto x = UnsignedSource(node->input(0));
  const bool is_vector = node->As<MatMul>() && node->input(0)->shape().size() < 2;
  const auto weights = x && !is_vector ? WeightsOf(node->input(kWeightsOperand), channel_axis) : std::nullopt;
  if (!weights || !SumsFit32Bits(weights->elements.shape(), channel_axis)) return false;

  std::unique_ptr<Op> op = node->op().Clone();
  Epilogue& epilogue = *EpilogueOf(*op);
  epilogue.compute = DType::kInt8;
  epilogue.quantization = {.x = *x};
  std::vector<Value*> operands = PaddedOperands(*node);
  operands.resize(kWeightScaleOperand + 1, nullptr);
  operands[0] = node->input(0)->producer()->input(0);
  if (const auto residual = UnsignedSource(operands[kResidualOperand])) {
    epilogue.quantization.residual = *residual;
    operands[kResidualOperand] = operands[kResidualOperand]->producer()->input(0);
  }
  const std::string weights_name = node->input(kWeightsOperand)->name();
  operands[kWeightsOperand] = graph.AddConstant(weights->elements, weights_name + ".i8");
  operands[kWeightScaleOperand] = graph.AddConstant(weights->scales, weights_name + ".scale");
  Value* result = TakeStoringQuantizer(graph, *node, epilogue, operands);
  ReplaceByNode(graph, result ? result : node->output(), std::move(op), std::move(operands), node);
  return true;
}

/// A Conv that stays in floats stores bytes all the same where nobody wants its floats.
bool FuseStore(Graph& graph, Node* node) {
  if (!node->As<Conv>() || !IsPlainFloatDense(*node)) return false;
  Conv conv = *node->As<Conv>();
  std::vector<Value*> operands = PaddedOperands(*node);
  Value* result = TakeStoringQuantizer(graph, *node, conv.epilogue, operands);
  if (!result) return false;
  ReplaceByNode(graph, result, conv.Clone(), std::move(operands), node);
  return true;
}

}  // namespace

bool FuseQuantized(Graph& graph, const PassContext&) {
  std::vector<Node*> dense;
  bool changed = false;
  for (Node* node : graph.NodeList()) {
    if (node->As<Conv>() || node->As<MatMul>()) dense.push_back(node);
  }
  // Fusing erases the node and those below it that are no such ones.
  for (Node* node : dense) changed |= FuseDense(graph, node) || FuseStore(graph, node);
  return changed;
}

bool FoldQuantizedWeights(Graph& graph, const PassContext&) {
  bool changed = false;
  for (Node* node : graph.NodeList()) {
    if (!node->As<DequantizeLinear>() || graph.IsOutput(node->output())) continue;
    const bool is_constant = std::all_of(node->inputs().begin(), node->inputs().end(),
                                         [](const Value* input) { return !input || input->is_constant(); });
    if (!is_constant) continue;
    std::vector<Tensor> operands;
    for (const Value* input : node->inputs()) operands.push_back(input ? input->constant() : Tensor());
    Value* folded = graph.AddConstant(node->op().Evaluate(operands)[0], node->output()->name() + ".f32");
    ReplaceValue(graph, node->output(), folded);
    changed = true;
  }
  return changed;
}

}  // namespace tenon
