#include "passes/fuse_regions.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "ops/region.h"
#include "passes/region_clusters.h"

namespace tenon {
namespace {

/// A cluster on its way into a body graph of its own.
class RegionBuilder {
 public:
  RegionBuilder(Graph& graph, const std::vector<Node*>& members)
      : graph_(graph), members_(members), inside_(members.begin(), members.end()), body_(std::make_shared<Graph>()) {}

  void Build() {
    body_->name = members_.back()->name();
    for (const Node* node : members_) CopyNode(*node);
    std::vector<Value*> results;
    for (const Node* node : members_) {
      for (Value* output : node->outputs()) {
        if (!output || !IsReadOutside(output)) continue;
        body_->AddOutput(inner_.at(output), output->name());
        results.push_back(output);
      }
    }
    Replace(results);
  }

 private:
  bool IsReadOutside(const Value* value) const {
    return graph_.IsOutput(value) || std::any_of(value->users().begin(), value->users().end(),
                                                 [&](const Node* user) { return !inside_.contains(user); });
  }

  Value* Inner(Value* value) {
    if (!value) return nullptr;
    if (const auto found = inner_.find(value); found != inner_.end()) return found->second;
    if (value->is_constant()) return inner_[value] = body_->AddConstant(value->constant(), value->name());
    operands_.push_back(value);
    return inner_[value] = body_->AddInput(value->name(), value->type());
  }

  void CopyNode(const Node& node) {
    std::vector<Value*> inputs;
    for (Value* input : node.inputs()) inputs.push_back(Inner(input));
    Node* copy = body_->Add(node.op().Clone(), std::move(inputs), node.name());
    copy->AddSources(node.sources());
    for (size_t i = 0; i < node.outputs().size(); ++i) {
      if (!node.output(i)) {
        body_->DropOutput(copy, i);
        continue;
      }
      body_->Rename(copy->output(i), node.output(i)->name());
      inner_[node.output(i)] = copy->output(i);
    }
  }

  void Replace(const std::vector<Value*>& results) {
    Region region;
    region.body = body_;
    Node* node = graph_.AddOp(region, operands_, members_.back()->name(), members_.back());
    std::vector<std::string> names;
    for (size_t i = 0; i < results.size(); ++i) {
      names.push_back(results[i]->name());
      graph_.ReplaceAllUses(results[i], node->output(i));
    }
    for (const Node* member : members_) node->AddSources(member->sources());
    for (auto member = members_.rbegin(); member != members_.rend(); ++member) graph_.Erase(*member);
    for (size_t i = 0; i < names.size(); ++i) graph_.Rename(node->output(i), names[i]);
  }

  Graph& graph_;
  const std::vector<Node*>& members_;
  const std::unordered_set<const Node*> inside_;
  std::shared_ptr<Graph> body_;
  std::vector<Value*> operands_;
  std::unordered_map<const Value*, Value*> inner_;
};

}  // namespace

bool FuseRegions(Graph& graph, const PassContext&) {
  const auto clusters = FindRegionClusters(graph);
  for (const std::vector<Node*>& members : clusters) RegionBuilder(graph, members).Build();
  // A region stands where its last node stood; readers of its earlier results may stand before.
  if (!clusters.empty()) graph.SortNodes();
  return !clusters.empty();
}

}  // namespace tenon
