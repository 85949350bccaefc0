#include "passes/promote_float16.h"

#include <unordered_set>

#include "ops/pointwise.h"

namespace tenon {
namespace {

constexpr DType kFrom = DType::kFloat16, kTo = DType::kFloat32;

/// Element types among an op's attributes (of casts and epilogues), whatever the op.
class TypePromoter final : public AttrVisitor {
 public:
  void Int(std::string_view, int64_t&) override {}
  void Bool(std::string_view, bool&) override {}
  void Float(std::string_view, float&) override {}
  void String(std::string_view, std::string&) override {}
  void Ints(std::string_view, std::vector<int64_t>&) override {}
  void Floats(std::string_view, std::vector<float>&) override {}
  void Body(std::string_view, std::shared_ptr<Graph>&) override {}
  void Type(std::string_view, DType& value) override {
    if (value == kFrom) value = kTo;
  }

 private:
  void EnumIndex(std::string_view, int&, std::span<const std::string_view>) override {}
};

bool HasFloat16(const Graph& graph) {
  for (const Value* constant : graph.Constants()) {
    if (constant->dtype() == kFrom) return true;
  }
  for (const auto& node : graph.nodes()) {
    for (const Value* output : node->outputs()) {
      // A cast that makes a graph output is what this pass leaves.
      if (output && output->dtype() == kFrom && !(graph.IsOutput(output) && node->As<Cast>())) return true;
    }
  }
  return false;
}

Cast CastTo(DType type) {
  Cast cast;
  cast.to = type;
  return cast;
}

}  // namespace

bool PromoteFloat16(Graph& graph, const PassContext&) {
  if (!HasFloat16(graph)) return false;
  std::unordered_set<size_t> float16_outputs;
  for (size_t i = 0; i < graph.outputs().size(); ++i) {
    if (graph.outputs()[i]->dtype() == kFrom && graph.outputs()[i]->producer()) float16_outputs.insert(i);
  }
  TypePromoter promoter;
  for (Node* node : graph.NodeList()) node->mutable_op().VisitAttrs(promoter);
  for (Value* constant : graph.Constants()) {
    if (constant->dtype() == kFrom && !graph.IsOutput(constant))
      graph.ReplaceAllUses(constant, graph.AddConstant(constant->constant().CastTo(kTo), constant->name()));
  }
  const Node* first = graph.nodes().empty() ? nullptr : graph.nodes().front().get();
  for (Value* input : graph.inputs()) {
    if (input->dtype() != kFrom || input->users().empty()) continue;
    const std::vector<Node*> users = input->users();
    Value* promoted = graph.AddOp(CastTo(kTo), {input}, input->name() + ".fp32", first)->output();
    for (Node* user : users) {
      for (size_t i = 0; i < user->inputs().size(); ++i) {
        if (user->input(i) == input) graph.SetInput(user, i, promoted);
      }
    }
  }
  graph.InferTypes();
  for (const size_t i : float16_outputs) {
    Value* output = graph.outputs()[i];
    if (output->dtype() != kFrom)
      graph.SetOutput(i, graph.AddOp(CastTo(kFrom), {output}, graph.output_names()[i] + ".fp16")->output());
  }
  graph.EraseUnusedConstants();
  return true;
}

}  // namespace tenon
