#include "passes/assign_precision.h"

#include <algorithm>
#include <unordered_set>

#include "ops/conv.h"
#include "ops/index.h"
#include "ops/matmul.h"
#include "ops/pad.h"
#include "ops/pool.h"
#include "ops/reduce.h"
#include "ops/resize.h"
#include "passes/fusable.h"
#include "passes/rewrite.h"

namespace tenon {
namespace {

/// Channels of an image that a camera or file gives.
constexpr int64_t kMaxImageChannels = 4;
/// Pad's operand of x's type.
constexpr size_t kPadValue = 2;

bool ComputesInHalf(const Node& node) {
  if (!EpilogueOf(node.op()) && !node.As<Attention>()) return false;  // others may lack their first output
  const DType out = node.output()->dtype();                           // bytes: of a float Conv whose only reader is a Q
  return (out == DType::kFloat32 || out == DType::kUInt8) && node.input(0)->dtype() == DType::kFloat32;
}

/// A Conv of integers whose result is real.
bool IsIntegerConv(const Node& node) {
  const Epilogue* epilogue = EpilogueOf(node.op());
  return epilogue && epilogue->is_int8() && epilogue->out == DType::kFloat32;
}

/// Ops whose results have the type of operand 0 and lose nothing by staying in it.
bool KeepsType(const Node& node) {
  return node.op().op_class() == OpClass::kIndex || node.op().op_class() == OpClass::kReduction || node.As<Pool>() ||
         node.As<Resize>();
}

/// The value is the model's image, perhaps rearranged.
bool IsImage(const Value* value) {
  if (!value->producer()) return !value->is_constant();
  const Node* node = value->producer();
  if (node->op().op_class() != OpClass::kIndex) return false;
  return std::all_of(node->inputs().begin(), node->inputs().end(),
                     [](const Value* input) { return !input || input->is_constant() || IsImage(input); });
}

bool IsImageConv(const Node& node) {
  return node.As<Conv>() && node.input(0)->has_shape() && node.input(0)->shape().at(1) <= kMaxImageChannels &&
         IsImage(node.input(0));
}

class PrecisionAssigner {
 public:
  PrecisionAssigner(Graph& graph, const PassContext& context) : graph_(graph), context_(context) {
    const std::vector<Node*> nodes = graph.NodeList();
    for (const Node* node : nodes) {
      if (ComputesInHalf(*node)) dense_.insert(node);
    }
    for (auto node = nodes.rbegin(); node != nodes.rend(); ++node) {
      for (const Value* output : (*node)->outputs()) {
        for (const Node* user : output ? output->users() : std::vector<Node*>{}) {
          if (dense_.contains(user) || feeds_dense_.contains(user)) feeds_dense_.insert(*node);
        }
      }
    }
    for (const Value* output : graph.outputs()) output_types_.push_back(output->dtype());
  }

  bool Run() {
    for (Node* node : graph_.NodeList()) Assign(node);
    for (size_t i = 0; i < output_types_.size(); ++i) {
      Value* output = graph_.outputs()[i];
      if (output->dtype() != output_types_[i]) graph_.SetOutput(i, AddCast(output, output_types_[i], nullptr));
    }
    return !dense_.empty();
  }

 private:
  Value* AddCast(Value* value, DType to, const Node* before) {
    Cast cast;
    cast.to = to;
    return graph_.AddOp(cast, {value}, "", before)->output();
  }

  /// The value in this float type for `reader`; a constant is converted, another value cast for this reader alone, so
  /// that each region converts while it reads.
  Value* As(DType to, Value* value, const Node* reader) {
    if (!value || value->dtype() == to || (value->dtype() != context_.half_type && value->dtype() != DType::kFloat32))
      return value;
    if (value->is_constant()) return graph_.AddConstant(value->constant().CastTo(to), value->name());
    return AddCast(value, to, reader);
  }

  void Assign(Node* node) {
    std::unique_ptr<Op> op = node->op().Clone();
    std::vector<Value*> operands = node->inputs();
    if (dense_.contains(node)) {
      AssignDense(node, *op, operands);
    } else if (IsIntegerConv(*node)) {
      // Its epilogue stores either float type and reads a residual of either.
      EpilogueOf(*op)->out = feeds_dense_.contains(node) ? context_.half_type : DType::kFloat32;
    } else if (!KeepsType(*node)) {
      for (Value*& operand : operands) operand = AsFull(operand, node);
    } else if (!feeds_dense_.contains(node)) {
      // Nothing below computes in half: FP32 up to the graph output. Axes and shapes are integers.
      for (Value*& operand : operands) operand = AsFull(operand, node);
    } else if (node->As<Pad>() && operands.size() > kPadValue) {
      operands[kPadValue] = As(operands[0]->dtype(), operands[kPadValue], node);
    } else if (node->As<Concat>()) {
      const bool any_half = std::any_of(operands.begin(), operands.end(),
                                        [&](const Value* v) { return v->dtype() == context_.half_type; });
      for (Value*& operand : operands) operand = any_half ? As(context_.half_type, operand, node) : operand;
    }
    graph_.Rewrite(node, std::move(op), std::move(operands));
  }

  Value* AsFull(Value* value, const Node* reader) {
    return value && value->dtype() == context_.half_type ? As(DType::kFloat32, value, reader) : value;
  }

  void AssignDense(const Node* node, Op& op, std::vector<Value*>& operands) {
    const DType half = context_.half_type;
    const DType out = feeds_dense_.contains(node) ? half : DType::kFloat32;
    if (auto* attention = dynamic_cast<Attention*>(&op)) {
      for (size_t i = 0; i < 3; ++i) operands[i] = As(half, operands[i], node);
      attention->compute = half;
      attention->out = out;
      return;
    }
    Epilogue& epilogue = *EpilogueOf(op);
    if (epilogue.out != DType::kUInt8) {  // bytes are stored from any residual
      epilogue.out = out;
      if (operands.size() > kResidualOperand) operands[kResidualOperand] = As(out, operands[kResidualOperand], node);
    }
    const bool is_image = IsImageConv(*node);
    if (is_image && !context_.converts_images) {
      Keep(*node, "it reads the FP32 image itself");
      return;
    }
    epilogue.compute = half;
    if (!is_image) operands[0] = As(half, operands[0], node);
    operands[kWeightsOperand] = As(half, operands[kWeightsOperand], node);
  }

  void Keep(const Node& node, std::string reason) {
    if (context_.report)
      context_.report->kept_in_fp32.push_back({node.name(), std::string(node.op().name()), std::move(reason)});
  }

  Graph& graph_;
  const PassContext& context_;
  std::unordered_set<const Node*> dense_;        ///< nodes that compute in half
  std::unordered_set<const Node*> feeds_dense_;  ///< nodes with such a node somewhere below
  std::vector<DType> output_types_;
};

}  // namespace

bool AssignPrecision(Graph& graph, const PassContext& context) {
  if (context.precision == Precision::kFp32) return false;
  return PrecisionAssigner(graph, context).Run();
}

}  // namespace tenon
