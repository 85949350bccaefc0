#include "onnx/write_op.h"
#include "ops/conv.h"
#include "ops/matmul.h"

namespace tenon {
namespace {

constexpr size_t kBias = 2, kResidual = 3;

Unary AsUnary(Activation activation, float alpha, float beta) {
  Unary op;
  // UnaryKind begins with the activations, without kNone.
  op.kind = static_cast<UnaryKind>(static_cast<int>(activation) - 1);
  op.alpha = alpha;
  op.beta = beta;
  return op;
}

void CheckFloatEpilogue(const WriteContext& context, const Epilogue& epilogue) {
  if (epilogue.compute == epilogue.out && !epilogue.is_int8() && context.dtype() == epilogue.compute) return;
  ThrowInvalid({.what = "ONNX has no op for this mix of types",
                .where = context.node().name(),
                .got = fmt::format("{} computed in {}, stored as {}", ToString(context.dtype()),
                                   ToString(epilogue.compute), ToString(epilogue.out))});
}

/// What is left to do after the sums: each part that is there becomes a node, the last of which makes the result.
struct Tail {
  const WriteContext& context;
  const Epilogue& epilogue;
  bool adds_bias;  ///< the op itself takes no bias

  int parts() const {
    return (adds_bias && context.node().input(kBias) ? 1 : 0) + (epilogue.activation != Activation::kNone ? 1 : 0) +
           (context.node().input(kResidual) ? 1 : 0) + (epilogue.post != Activation::kNone ? 1 : 0);
  }
  void Write(std::string x) const {
    int left = parts();
    const auto next = [&] { return --left == 0 ? WriteAs::kResult : WriteAs::kIntermediate; };
    const auto add = [&](size_t operand) {
      const WriteAs as = next();
      if (as == WriteAs::kResult) return context.Emit("Add", {x, context.in(operand)}), context.out();
      return context.Make("Add", {x, context.in(operand)});
    };
    const auto apply = [&](Activation activation) {
      return WriteUnary(context, AsUnary(activation, epilogue.alpha, epilogue.beta), x, epilogue.out, next());
    };
    if (adds_bias && context.node().input(kBias)) x = add(kBias);
    if (epilogue.activation != Activation::kNone) x = apply(epilogue.activation);
    if (context.node().input(kResidual)) x = add(kResidual);
    if (epilogue.post != Activation::kNone) x = apply(epilogue.post);
  }
};

/// The op itself: its result is the node's where nothing follows.
template <class SetAttrs>
void WriteWithTail(const WriteContext& context, const Epilogue& epilogue, std::string_view op_type,
                   const SetAttrs& set_attrs) {
  CheckFloatEpilogue(context, epilogue);
  const bool takes_bias = op_type != "MatMul";
  std::vector<std::string> inputs = {context.in(0), context.in(1)};
  if (takes_bias) inputs.push_back(context.in(kBias));
  const Tail tail{context, epilogue, !takes_bias};
  if (tail.parts() == 0) return set_attrs(context.Emit(op_type, inputs));
  std::string sums;
  set_attrs(context.Make(op_type, inputs, sums));
  tail.Write(sums);
}

std::vector<int64_t> KernelShape(const Node& node) {
  const Shape& weights = node.input(1)->shape();
  return {weights.begin() + 2, weights.end()};
}

void WriteConv(const WriteContext& context) {
  const Conv& conv = *context.node().As<Conv>();
  if (conv.upsample != 1) ThrowInvalid("{}: a Conv that upsamples can't be written as ONNX", context.node().name());
  WriteWithTail(context, conv.epilogue, "Conv", [&](NodeAttrs attrs) {
    attrs.Ints("kernel_shape", KernelShape(context.node())).Ints("strides", conv.strides).Ints("pads", conv.pads);
    attrs.Ints("dilations", conv.dilations).Int("group", conv.groups);
  });
}

void WriteConvTranspose(const WriteContext& context) {
  const ConvTranspose& conv = *context.node().As<ConvTranspose>();
  WriteWithTail(context, conv.epilogue, "ConvTranspose", [&](NodeAttrs attrs) {
    attrs.Ints("kernel_shape", KernelShape(context.node())).Ints("strides", conv.strides).Ints("pads", conv.pads);
    attrs.Ints("dilations", conv.dilations).Ints("output_padding", conv.output_padding).Int("group", conv.groups);
  });
}

void WriteMatMul(const WriteContext& context) {
  WriteWithTail(context, context.node().As<MatMul>()->epilogue, "MatMul", [](const NodeAttrs&) {});
}

/// softmax(scale * q k + mask) v
void WriteAttention(const WriteContext& context) {
  const Attention& op = *context.node().As<Attention>();
  if (op.compute != op.out || context.dtype() != op.compute)
    ThrowInvalid("{}: attention of mixed types can't be written as ONNX", context.node().name());
  std::string scores = context.Make("MatMul", {context.in(0), context.in(1)});
  if (op.scale != 1) scores = context.Make("Mul", {scores, context.Scalar(op.out, op.scale)});
  if (context.node().input(3)) scores = context.Make("Add", {scores, context.in(3)});
  std::string shares;
  context.Make("Softmax", {scores}, shares).Int("axis", -1);
  context.Emit("MatMul", {shares, context.in(2)});
}

}  // namespace

std::span<const OpWriter> ComputeWriters() {
  static constexpr OpWriter writers[] = {{"Conv", WriteConv},
                                         {"ConvTranspose", WriteConvTranspose},
                                         {"MatMul", WriteMatMul},
                                         {"Attention", WriteAttention}};
  return writers;
}

}  // namespace tenon
