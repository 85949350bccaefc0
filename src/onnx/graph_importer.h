#pragma once
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "onnx/constant_folder.h"
#include "onnx/converter.h"
#include "onnx/importer.h"
#include "onnx/tensor_proto.h"
#include "onnx/unsupported.h"

namespace onnx {
class GraphProto;
class ModelProto;
class NodeProto;
class TensorProto;
}  // namespace onnx

namespace tenon {

/// Translates the nodes of a model, one after another, into a graph.
class GraphImporter {
 public:
  GraphImporter(onnx::ModelProto& model, const ExternalData& external, Graph& graph);
  void Run(const ImportOptions& options);

 private:
  /// What a name stands for.
  struct Binding {
    Value* value = nullptr;
    onnx::TensorProto* initializer = nullptr;  ///< becomes a constant when first used
    std::string absent;                        ///< why its node doesn't make it
    bool blocked = false;                      ///< its node is not supported, and reported
  };
  /// Names of a graph, and of those around it when it is a branch.
  struct Scope {
    Scope* outer = nullptr;
    std::map<std::string, Binding, std::less<>> names;
  };

  void AddInitializers(onnx::GraphProto& source, Scope& scope);
  void AddInputs(const ImportOptions& options, Scope& scope);
  void AddNodes(onnx::GraphProto& source, Scope& scope);
  void AddNode(onnx::NodeProto& node, Scope& scope);
  void AddOutputs(Scope& scope);

  /// The operands, in order; none when one of them comes from a node that is not supported.
  std::optional<std::vector<Value*>> FindOperands(const onnx::NodeProto& node, Scope& scope);
  std::optional<std::vector<Value*>> Convert(const onnx::NodeProto& node, const std::string& name,
                                             std::vector<Value*> operands);
  /// `If` with a constant condition: the nodes of the branch taken; none when one of them is not supported.
  std::optional<std::vector<Value*>> InlineBranch(onnx::NodeProto& node, const std::vector<Value*>& operands,
                                                  Scope& scope);
  void BindOutputs(const onnx::NodeProto& node, const std::vector<Value*>& results, Scope& scope);
  void BlockOutputs(const onnx::NodeProto& node, Scope& scope);
  void Report(const onnx::NodeProto& node, const std::string& name, const std::string& reason);

  /// Folds the nodes added since there were `node_count`.
  void FoldSince(size_t node_count);
  Binding& Find(const std::string& name, Scope& scope);
  /// The value; throws UnsupportedNode when nothing makes it. Null when blocked.
  Value* ValueOf(const std::string& name, Scope& scope);
  void Define(const std::string& name, Binding binding, Scope& scope);
  int64_t OpsetOf(const onnx::NodeProto& node) const;
  void DropDeadNodes();

  onnx::ModelProto& model_;
  const ExternalData& external_;
  Graph& graph_;
  std::map<std::string, int64_t> opsets_;
  ConstantFolder folder_;
  std::set<const Value*> named_;
  std::vector<UnsupportedReport> unsupported_;
  int64_t node_index_ = 0;
};

}  // namespace tenon
