#include "passes/promote_float16.h"

#include <algorithm>
#include <unordered_set>

#include "ops/pointwise.h"
#include "ops/resize.h"

namespace tenon {
namespace {

struct Change {
  DType from, to;
};

/// Element types among an op's attributes (of casts and epilogues), whatever the op.
class TypeChanger final : public AttrVisitor {
 public:
  explicit TypeChanger(Change change) : change_(change) {}
  void Int(std::string_view, int64_t&) override {}
  void Bool(std::string_view, bool&) override {}
  void Float(std::string_view, float&) override {}
  void String(std::string_view, std::string&) override {}
  void Ints(std::string_view, std::vector<int64_t>&) override {}
  void Floats(std::string_view, std::vector<float>&) override {}
  void Body(std::string_view, std::shared_ptr<Graph>&) override {}
  void Type(std::string_view, DType& value) override {
    if (value == change_.from) value = change_.to;
  }

 private:
  void EnumIndex(std::string_view, int&, std::span<const std::string_view>) override {}
  Change change_;
};

bool HasFloat16(const Graph& graph) {
  for (const Value* constant : graph.Constants()) {
    if (constant->dtype() == DType::kFloat16) return true;
  }
  for (const auto& node : graph.nodes()) {
    for (const Value* output : node->outputs()) {
      // A cast that makes a graph output is what this pass leaves.
      if (output && output->dtype() == DType::kFloat16 && !(graph.IsOutput(output) && node->As<Cast>())) return true;
    }
  }
  return false;
}

Cast CastTo(DType type) {
  Cast cast;
  cast.to = type;
  return cast;
}

/// Scales and regions of Resize are FP32 whatever x is.
bool HasTypeOfItsOwn(const Value* constant) {
  return std::any_of(constant->users().begin(), constant->users().end(),
                     [&](const Node* user) { return user->As<Resize>() && user->input(0) != constant; });
}

void ChangeConstants(Graph& graph, Change change) {
  for (Value* constant : graph.Constants()) {
    if (constant->dtype() == change.from && !graph.IsOutput(constant) && !HasTypeOfItsOwn(constant))
      graph.ReplaceAllUses(constant, graph.AddConstant(constant->constant().CastTo(change.to), constant->name()));
  }
}

/// All readers of an input read it in the new type.
void CastInput(Graph& graph, Value* input, DType to, const Node* first) {
  const std::vector<Node*> users = input->users();
  if (users.empty()) return;
  Value* cast = graph.AddOp(CastTo(to), {input}, fmt::format("{}.{}", input->name(), ToString(to)), first)->output();
  for (Node* user : users) {
    for (size_t i = 0; i < user->inputs().size(); ++i) {
      if (user->input(i) == input) graph.SetInput(user, i, cast);
    }
  }
}

/// Computes in the new type; the graph's inputs and outputs keep theirs, with a Cast behind and before.
void ChangeFloats(Graph& graph, Change change) {
  std::unordered_set<size_t> outputs;
  for (size_t i = 0; i < graph.outputs().size(); ++i) {
    if (graph.outputs()[i]->dtype() == change.from && graph.outputs()[i]->producer()) outputs.insert(i);
  }
  TypeChanger changer(change);
  for (Node* node : graph.NodeList()) node->mutable_op().VisitAttrs(changer);
  ChangeConstants(graph, change);
  const Node* first = graph.nodes().empty() ? nullptr : graph.nodes().front().get();
  for (Value* input : graph.inputs()) {
    if (input->dtype() == change.from) CastInput(graph, input, change.to, first);
  }
  graph.InferTypes();
  for (const size_t i : outputs) {
    Value* output = graph.outputs()[i];
    if (output->dtype() == change.from) continue;
    const std::string name = fmt::format("{}.{}", graph.output_names()[i], ToString(change.from));
    graph.SetOutput(i, graph.AddOp(CastTo(change.from), {output}, name)->output());
  }
  graph.EraseUnusedConstants();
}

}  // namespace

bool PromoteFloat16(Graph& graph, const PassContext&) {
  if (!HasFloat16(graph)) return false;
  ChangeFloats(graph, {DType::kFloat16, DType::kFloat32});
  return true;
}

void DemoteToFloat16(Graph& graph) { ChangeFloats(graph, {DType::kFloat32, DType::kFloat16}); }

}  // namespace tenon
