#include "onnx/graph_importer.h"

#include <algorithm>

#include "onnx/converter_list.h"
#include "onnx/graph_inputs.h"
#include "onnx/model_file.h"
#include "onnx/node_order.h"
#include "onnx/proto.h"
#include "onnx/unsupported.h"

namespace tenon {
namespace {

std::string Domain(const onnx::NodeProto& node) { return node.domain() == "ai.onnx" ? "" : node.domain(); }

bool IsIf(const onnx::NodeProto& node) { return Domain(node).empty() && node.op_type() == "If"; }

/// Converters know the forms since opset 7, and the older one of the ops that opset 7 found unchanged since opset 1.
bool IsTooOld(const onnx::NodeProto& node, int64_t opset) {
  static const std::set<std::string_view> unchanged = {
      "Conv",  "Flatten", "Gather",  "GlobalAveragePool", "GlobalMaxPool", "LogSoftmax", "Not",
      "Shape", "Size",    "Softmax", "Squeeze",           "Transpose",     "Unsqueeze"};
  return Domain(node).empty() && opset < 7 && !unchanged.contains(node.op_type());
}

void CheckOperands(const ConverterEntry& entry, const std::vector<Value*>& operands) {
  for (size_t i = 0; i < entry.min_inputs; ++i) {
    if (i < operands.size() && operands[i]) continue;
    ThrowInvalid({.what = fmt::format("operand {} is missing", i),
                  .got = fmt::format("{} operands", operands.size()),
                  .expected = fmt::format("at least {}", entry.min_inputs)});
  }
}

}  // namespace

GraphImporter::GraphImporter(onnx::ModelProto& model, const ExternalData& external, Graph& graph)
    : model_(model), external_(external), graph_(graph), opsets_(OpsetsOf(model)) {}

void GraphImporter::Run(const ImportOptions& options) {
  graph_.name = model_.graph().name();
  for (const auto& entry : model_.metadata_props()) graph_.metadata[entry.key()] = entry.value();
  Scope scope;
  AddInitializers(*model_.mutable_graph(), scope);
  AddInputs(options, scope);
  AddNodes(*model_.mutable_graph(), scope);
  if (!unsupported_.empty()) ThrowUnsupportedNodes(unsupported_);
  AddOutputs(scope);
  DropDeadNodes();
}

void GraphImporter::AddInitializers(onnx::GraphProto& source, Scope& scope) {
  for (auto& initializer : *source.mutable_initializer())
    Define(initializer.name(), {.initializer = &initializer}, scope);
  for (const auto& sparse : source.sparse_initializer()) {
    Define(sparse.values().name(), {.absent = fmt::format("initializer '{}' is sparse", sparse.values().name())},
           scope);
  }
}

void GraphImporter::AddInputs(const ImportOptions& options, Scope& scope) {
  InputResolver resolver(options, graph_.metadata);
  for (const auto& input : model_.graph().input()) {
    // Before IR version 4 every initializer is listed as an input, too.
    if (const auto found = scope.names.find(input.name()); found != scope.names.end() && !found->second.value) continue;
    Value* value = graph_.AddInput(input.name(), resolver.Resolve(input));
    named_.insert(value);
    Define(input.name(), {.value = value}, scope);
  }
}

void GraphImporter::AddNodes(onnx::GraphProto& source, Scope& scope) {
  for (const int i : SortedNodes(source)) AddNode(*source.mutable_node(i), scope);
}

void GraphImporter::AddNode(onnx::NodeProto& node, Scope& scope) {
  const std::string name = node.name().empty() ? fmt::format("{}_{}", node.op_type(), node_index_) : node.name();
  ++node_index_;
  try {
    if (IsTooOld(node, OpsetOf(node))) throw UnsupportedNode("this form is older than opset 7");
    if (!IsIf(node) && !FindConverter(node.domain(), node.op_type())) throw UnsupportedNode("");
    const auto operands = FindOperands(node, scope);
    if (!operands) return BlockOutputs(node, scope);
    const auto results = IsIf(node) ? InlineBranch(node, *operands, scope) : Convert(node, name, *operands);
    if (!results) return BlockOutputs(node, scope);
    BindOutputs(node, *results, scope);
  } catch (const UnsupportedNode& error) {
    Report(node, name, error.what());
    BlockOutputs(node, scope);
  }
}

std::optional<std::vector<Value*>> GraphImporter::FindOperands(const onnx::NodeProto& node, Scope& scope) {
  std::vector<Value*> operands;
  bool blocked = false;
  for (const std::string& input : node.input()) {
    operands.push_back(input.empty() ? nullptr : ValueOf(input, scope));
    blocked |= !input.empty() && !operands.back();
  }
  if (blocked) return std::nullopt;
  return operands;
}

std::optional<std::vector<Value*>> GraphImporter::Convert(const onnx::NodeProto& node, const std::string& name,
                                                          std::vector<Value*> operands) {
  const size_t nodes_before = graph_.nodes().size();
  const ConverterEntry& entry = *FindConverter(node.domain(), node.op_type());
  ImportState state{external_, folder_};
  std::vector<Value*> results;
  try {
    CheckOperands(entry, operands);
    ConvertContext context(graph_, node, name, OpsetOf(node), std::move(operands), state);
    results = entry.convert(context);
    FoldSince(nodes_before);
  } catch (const UnsupportedNode&) {
    throw;
  } catch (const Error& error) {
    throw Error(error.code(),
                fmt::format("{} (node {}, op {}, opset {})", error.what(), name, node.op_type(), OpsetOf(node)));
  }
  for (Value*& result : results) result = folder_.Replacement(result);
  return results;
}

std::optional<std::vector<Value*>> GraphImporter::InlineBranch(onnx::NodeProto& node,
                                                               const std::vector<Value*>& operands, Scope& scope) {
  if (operands.size() != 1 || !operands[0] || !operands[0]->is_constant() || operands[0]->constant().elems() != 1) {
    throw UnsupportedNode("its condition is not constant");
  }
  const std::string wanted = operands[0]->constant().AsInt(0) != 0 ? "then_branch" : "else_branch";
  for (auto& attr : *node.mutable_attribute()) {
    if (attr.name() != wanted || !attr.has_g()) continue;
    Scope inner{.outer = &scope};
    AddInitializers(*attr.mutable_g(), inner);
    AddNodes(*attr.mutable_g(), inner);
    std::vector<Value*> results;
    for (const auto& output : attr.g().output()) results.push_back(ValueOf(output.name(), inner));
    if (std::find(results.begin(), results.end(), nullptr) != results.end()) return std::nullopt;
    return results;
  }
  ThrowInvalid({.what = "an If without its branch", .where = node.name(), .expected = wanted});
}

void GraphImporter::BindOutputs(const onnx::NodeProto& node, const std::vector<Value*>& results, Scope& scope) {
  for (int i = 0; i < node.output_size(); ++i) {
    const std::string& name = node.output(i);
    if (name.empty()) continue;
    Value* value = i < static_cast<int>(results.size()) ? results[i] : nullptr;
    if (!value) {
      Define(name, {.absent = fmt::format("output {} of {} is not supported", i, node.op_type())}, scope);
      continue;
    }
    // A node that changes nothing (Identity) hands on its operand, which has its name already.
    if (named_.insert(value).second) graph_.Rename(value, name);
    Define(name, {.value = value}, scope);
  }
}

void GraphImporter::BlockOutputs(const onnx::NodeProto& node, Scope& scope) {
  for (const std::string& name : node.output()) {
    if (!name.empty()) Define(name, {.blocked = true}, scope);
  }
}

void GraphImporter::Report(const onnx::NodeProto& node, const std::string& name, const std::string& reason) {
  unsupported_.push_back(
      {.op_type = node.op_type(), .domain = Domain(node), .node = name, .reason = reason, .opset = OpsetOf(node)});
}

void GraphImporter::FoldSince(size_t node_count) {
  auto node = std::prev(graph_.nodes().end(), static_cast<std::ptrdiff_t>(graph_.nodes().size() - node_count));
  for (; node != graph_.nodes().end(); ++node) folder_.Fold(graph_, **node);
}

GraphImporter::Binding& GraphImporter::Find(const std::string& name, Scope& scope) {
  for (Scope* at = &scope; at; at = at->outer) {
    if (const auto found = at->names.find(name); found != at->names.end()) return found->second;
  }
  ThrowInvalid({.what = fmt::format("nothing makes value '{}'", name),
                .expected = "an input, an initializer or a node's output"});
}

Value* GraphImporter::ValueOf(const std::string& name, Scope& scope) {
  Binding& binding = Find(name, scope);
  if (!binding.absent.empty()) throw UnsupportedNode(binding.absent);
  if (binding.initializer) {
    binding.value = graph_.AddConstant(TakeTensor(*std::exchange(binding.initializer, nullptr), external_), name);
    named_.insert(binding.value);
  }
  return binding.value;
}

void GraphImporter::Define(const std::string& name, Binding binding, Scope& scope) {
  if (!scope.names.emplace(name, std::move(binding)).second)
    ThrowInvalid("two values of the model have the name '{}'", name);
}

int64_t GraphImporter::OpsetOf(const onnx::NodeProto& node) const {
  const auto found = opsets_.find(Domain(node));
  return found == opsets_.end() ? 0 : found->second;
}

void GraphImporter::AddOutputs(Scope& scope) {
  if (model_.graph().output().empty()) ThrowInvalid("the model has no outputs");
  for (const auto& output : model_.graph().output()) graph_.AddOutput(ValueOf(output.name(), scope), output.name());
}

void GraphImporter::DropDeadNodes() {
  std::vector<Node*> nodes = graph_.NodeList();
  std::reverse(nodes.begin(), nodes.end());
  for (Node* node : nodes) {
    const auto unused = [this](const Value* value) { return !value || graph_.IsUnused(value); };
    if (std::all_of(node->outputs().begin(), node->outputs().end(), unused)) {
      graph_.Erase(node);
      continue;
    }
    for (size_t i = 0; i < node->outputs().size(); ++i) {
      if (node->output(i) && unused(node->output(i))) graph_.DropOutput(node, i);
    }
  }
  graph_.EraseUnusedConstants();
}

}  // namespace tenon
