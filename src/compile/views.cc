#include "compile/views.h"

#include <algorithm>
#include <deque>
#include <map>
#include <numeric>
#include <set>
#include <tuple>

#include "compile/view_links.h"
#include "ops/index.h"
#include "ops/pointwise.h"

namespace tenon {
namespace {

std::vector<int64_t> DenseStrides(const Value& value, const std::vector<int>& order) {
  std::vector<int64_t> strides(order.size());
  int64_t stride = SizeOf(value.dtype());
  for (size_t i = order.size(); i-- > 0;) {
    strides[order[i]] = stride;
    stride *= std::max<int64_t>(value.shape()[order[i]], 1);
  }
  return strides;
}

std::vector<int> RowMajor(size_t rank) {
  std::vector<int> order(rank);
  std::iota(order.begin(), order.end(), 0);
  return order;
}

bool Satisfies(const Value& value, const std::vector<int64_t>& strides, const LayoutHint& hint) {
  if (ElemCount(value.shape()) == 0) return true;  // no copy could give an empty tensor other strides
  const auto unit = [&](int axis) {
    return axis >= 0 && (value.shape()[axis] == 1 || strides[axis] == SizeOf(value.dtype()));
  };
  return hint.axis < 0 || unit(hint.axis) || unit(hint.other_axis);
}

class Planner {
 public:
  explicit Planner(Graph& graph) : graph_(graph) {
    for (const auto& node : graph.nodes()) ordinals_.emplace(node.get(), static_cast<int>(ordinals_.size()));
  }

  /// One attempt; false when copies were inserted and it must be tried again.
  bool Run() {
    for (const auto& node : graph_.nodes()) {
      if (IsViewNode(*node)) AddLinks(*node);
    }
    if (ApplyFixes()) return false;
    PlaceInputsAndConstants();
    for (const Value* output : graph_.outputs()) PlaceTree(Root(output));
    for (const auto& node : graph_.nodes()) {
      for (const Value* output : node->outputs()) {
        if (output && !plan_.placements.contains(output)) PlaceTree(Root(output));
      }
    }
    if (ApplyFixes()) return false;
    for (const auto& node : graph_.nodes()) {
      if (IsViewNode(*node)) plan_.free_nodes.push_back(node.get());
    }
    return true;
  }

  ViewPlan TakePlan() { return std::move(plan_); }
  int fixes() const { return fixes_; }

 private:
  /// A copy to insert: on one input of a node, or behind one output.
  struct Fix {
    Node* node;
    size_t index;
    bool on_input;
  };
  /// Copies are inserted in graph order, whatever order they were found in: a rebuild gives the same engine.
  struct InGraphOrder {
    const std::unordered_map<const Node*, int>* ordinals;
    bool operator()(const Fix& a, const Fix& b) const {
      const auto key = [&](const Fix& fix) { return std::tuple(ordinals->at(fix.node), fix.index, fix.on_input); };
      return key(a) < key(b);
    }
  };

  bool IsExternal(const Value* value) const {
    return !value->producer() || graph_.IsOutput(value);  // graph inputs, constants, graph outputs
  }

  /// Group of values joined by reshapes and transposes.
  const Value* Group(const Value* value) const {
    for (auto found = joined_.find(value); found != joined_.end(); found = joined_.find(value)) value = found->second;
    return value;
  }
  /// A value of the outermost group that holds `value`.
  const Value* Root(const Value* value) const {
    for (auto found = parent_.find(Group(value)); found != parent_.end(); found = parent_.find(Group(value)))
      value = found->second;
    return Group(value);
  }

  void AddLink(ViewLink link) {
    links_[link.outer].push_back(link);
    if (link.kind != ViewLink::Kind::kInside) links_[link.inner].push_back(link);
  }

  void AddLinks(Node& node) {
    if (node.As<Concat>()) return AddConcat(node);
    Value* input = node.input(0);
    for (size_t i = 0; i < node.outputs().size(); ++i) {
      Value* output = node.outputs()[i];
      if (!output) continue;
      const bool joins = node.As<Reshape>() || node.As<Transpose>();
      // A graph output is memory of the caller's: only whole values that own their memory can lie there.
      if (graph_.IsOutput(output) && (!joins || HasOwner(input))) {
        fixes_wanted_.insert({&node, i, false});
        continue;
      }
      if (joins) {
        if (graph_.IsOutput(output)) external_.insert(Group(input));
        joined_[output] = Group(input);
        AddLink({node.As<Reshape>() ? ViewLink::Kind::kReshape : ViewLink::Kind::kTranspose, &node, input, output, i});
      } else {
        parent_[output] = input;
        AddLink({ViewLink::Kind::kInside, &node, input, output, i});
      }
    }
  }

  /// Whether the memory of the value's group is decided already.
  bool HasOwner(const Value* value) const {
    const Value* group = Group(value);
    return parent_.contains(group) || external_.contains(group) || IsExternal(group) || IsExternal(value);
  }

  void AddConcat(Node& node) {
    for (size_t i = 0; i < node.inputs().size(); ++i) {
      Value* input = node.inputs()[i];
      if (HasOwner(input)) {
        fixes_wanted_.insert({&node, i, true});
        continue;
      }
      parent_[Group(input)] = node.output(0);
      AddLink({ViewLink::Kind::kInside, &node, node.output(0), input, i});
    }
  }

  void PlaceInputsAndConstants() {
    for (size_t i = 0; i < graph_.inputs().size(); ++i) {
      const Value* input = graph_.inputs()[i];
      PlaceFrom(input, RowMajor(input->shape().size()), AddStorage(Storage::Kind::kInput, static_cast<int>(i), *input));
    }
    for (const Value* constant : graph_.Constants()) {
      const int storage = AddStorage(Storage::Kind::kConstant, 0, *constant);
      plan_.storages[storage].constant = constant;
      PlaceFrom(constant, RowMajor(constant->shape().size()), storage);
    }
  }

  int AddStorage(Storage::Kind kind, int index, const Value& value) {
    plan_.storages.push_back({kind, index, nullptr, ElemCount(value.shape()) * SizeOf(value.dtype())});
    return static_cast<int>(plan_.storages.size()) - 1;
  }

  using Places = std::map<const Value*, Place>;

  /// Places the whole tree of `anchor` laid out in `order`; copies needed are counted in bytes and listed.
  double Lay(const Value* anchor, const std::vector<int>& order, Places& places, std::vector<Fix>& fixes) const {
    places[anchor] = {0, 0, DenseStrides(*anchor, order)};
    std::deque<const Value*> queue{anchor};
    double cost = 0;
    while (!queue.empty()) {
      const Value* value = queue.front();
      queue.pop_front();
      cost += HintCost(*value, places.at(value), fixes);
      const auto found = links_.find(value);
      if (found == links_.end()) continue;
      for (const ViewLink& link : found->second) {
        const bool forward = link.outer == value;
        const Value* other = forward ? link.inner : link.outer;
        if (places.contains(other)) continue;
        if (auto place = FollowLink(link, places.at(value), forward)) {
          places[other] = std::move(*place);
          queue.push_back(other);
        } else {
          fixes.push_back(Separate(link, forward));
          cost += 10.0 * static_cast<double>(ElemCount(other->shape()) * SizeOf(other->dtype()));
        }
      }
    }
    return cost;
  }

  /// The copy that gives the far side of a reshape a layout of its own: on the near side, as its layout stands; on the
  /// far side where the near one is such a copy already, for then it is the far side that the reshape can't serve.
  Fix Separate(const ViewLink& link, bool forward) const {
    const bool copied = IsCopyFor(*link.outer, *link.node);
    const auto& users = link.inner->users();
    const bool copied_behind = users.size() == 1 && !graph_.IsOutput(link.inner) && IsCopy(*users[0]);
    const bool on_input = forward ? !copied : copied_behind;
    return {link.node, on_input ? 0 : link.index, on_input};
  }

  static bool IsCopy(const Node& node) {
    const auto* unary = node.As<Unary>();
    return unary && unary->kind == UnaryKind::kIdentity;
  }
  /// The value is a copy that nobody but `reader` reads: any layout suits it.
  bool IsCopyFor(const Value& value, const Node& reader) const {
    return value.producer() && IsCopy(*value.producer()) && value.users().size() == 1 && value.users()[0] == &reader &&
           !graph_.IsOutput(&value);
  }

  double HintCost(const Value& value, const Place& place, std::vector<Fix>& fixes) const {
    const double bytes = static_cast<double>(ElemCount(value.shape()) * SizeOf(value.dtype()));
    double cost = 0;
    const auto judge = [&](const LayoutHint& hint, Fix fix) {
      if (Satisfies(value, place.strides_bytes, hint)) return;
      cost += hint.required ? 10 * bytes : bytes;
      if (hint.required) fixes.push_back(fix);
    };
    if (Node* producer = value.producer(); producer && !IsViewNode(*producer)) {
      const auto index = static_cast<size_t>(value.producer_index());
      judge(OutputHint(*producer, index), {producer, index, false});
    }
    std::set<Node*> seen;
    for (Node* user : value.users()) {
      if (IsViewNode(*user) || !seen.insert(user).second) continue;
      for (size_t i = 0; i < user->inputs().size(); ++i) {
        if (user->input(i) == &value) judge(InputHint(*user, i), {user, i, true});
      }
    }
    return cost;
  }

  void PlaceFrom(const Value* anchor, const std::vector<int>& order, int storage) {
    Places places;
    std::vector<Fix> fixes;
    Lay(anchor, order, places, fixes);
    Keep(std::move(places), fixes, storage);
  }

  void Keep(Places places, const std::vector<Fix>& fixes, int storage) {
    fixes_wanted_.insert(fixes.begin(), fixes.end());
    for (auto& [value, place] : places) {
      place.storage = storage;
      plan_.placements[value] = std::move(place);
    }
  }

  /// Values of the group that contains `value`.
  std::vector<const Value*> Members(const Value* value) const {
    std::vector<const Value*> members{value};
    for (size_t i = 0; i < members.size(); ++i) {
      const auto found = links_.find(members[i]);
      if (found == links_.end()) continue;
      for (const ViewLink& link : found->second) {
        if (link.kind == ViewLink::Kind::kInside) continue;
        const Value* other = link.outer == members[i] ? link.inner : link.outer;
        if (std::find(members.begin(), members.end(), other) == members.end()) members.push_back(other);
      }
    }
    return members;
  }

  /// Memory orders worth trying for a value, channels last first for images.
  static std::vector<std::vector<int>> Orders(size_t rank) {
    std::vector<std::vector<int>> orders;
    if (rank == 4) orders.push_back({0, 2, 3, 1});
    orders.push_back(RowMajor(rank));
    if (rank < 2 || rank > 6) return orders;
    std::vector<int> order = RowMajor(rank);
    while (std::next_permutation(order.begin() + (rank > 2 ? 1 : 0), order.end())) orders.push_back(order);
    return orders;
  }

  void PlaceTree(const Value* root) {
    if (plan_.placements.contains(root)) return;
    const std::vector<const Value*> members = Members(root);
    for (const Value* member : members) {  // the caller's memory is row-major
      if (!graph_.IsOutput(member)) continue;
      const auto index = std::find(graph_.outputs().begin(), graph_.outputs().end(), member) - graph_.outputs().begin();
      return PlaceFrom(member, RowMajor(member->shape().size()),
                       AddStorage(Storage::Kind::kOutput, static_cast<int>(index), *member));
    }
    double best = 0;
    Places best_places;
    std::vector<Fix> best_fixes;
    std::set<Shape> shapes;
    for (const Value* member : members) {
      if (!shapes.insert(member->shape()).second) continue;
      for (const auto& order : Orders(member->shape().size())) {
        Places places;
        std::vector<Fix> fixes;
        const double cost = Lay(member, order, places, fixes);
        if (!best_places.empty() && cost >= best) continue;
        best = cost;
        best_places = std::move(places);
        best_fixes = std::move(fixes);
        if (best == 0) break;
      }
      if (best == 0) break;
    }
    Keep(std::move(best_places), best_fixes, AddStorage(Storage::Kind::kArena, 0, *root));
  }

  bool ApplyFixes() {
    for (const Fix& fix : fixes_wanted_) {
      const Unary copy;  // identity
      if (fix.on_input) {
        Value* input = fix.node->input(fix.index);
        Node* made = graph_.AddOp(copy, {input}, fix.node->name() + ".copy", fix.node);
        graph_.SetInput(fix.node, fix.index, made->output(0));
        continue;
      }
      Value* output = fix.node->output(fix.index);
      const auto& nodes = graph_.nodes();
      auto after = std::find_if(nodes.begin(), nodes.end(), [&](const auto& node) { return node.get() == fix.node; });
      ++after;
      Node* made =
          graph_.AddOp(copy, {output}, fix.node->name() + ".copy", after == nodes.end() ? nullptr : after->get());
      graph_.ReplaceAllUses(output, made->output(0));
      graph_.SetInput(made, 0, output);
    }
    fixes_ += static_cast<int>(fixes_wanted_.size());
    return !fixes_wanted_.empty();
  }

  Graph& graph_;
  ViewPlan plan_;
  std::map<const Value*, std::vector<ViewLink>> links_;
  std::map<const Value*, const Value*> joined_;  ///< value -> value of the same group, towards its first
  std::map<const Value*, const Value*> parent_;  ///< group -> a value that it lies inside of
  std::set<const Value*> external_;              ///< groups that hold a graph output
  std::unordered_map<const Node*, int> ordinals_;
  std::set<Fix, InGraphOrder> fixes_wanted_{InGraphOrder{&ordinals_}};
  int fixes_ = 0;
};

/// A value that is several outputs at once, or a graph input or constant that is an output, gets a copy of its own.
int SeparateOutputs(Graph& graph) {
  int copies = 0;
  std::set<const Value*> seen;
  for (size_t i = 0; i < graph.outputs().size(); ++i) {
    Value* output = graph.outputs()[i];
    if (output->producer() && seen.insert(output).second) continue;
    graph.SetOutput(i, graph.AddOp(Unary(), {output}, graph.output_names()[i] + ".copy")->output(0));
    ++copies;
  }
  return copies;
}

}  // namespace

ViewPlan PlanViews(Graph& graph) {
  int copies = SeparateOutputs(graph);
  // Each round inserts copies, each copy cuts the values it joins apart for good; a handful of rounds settles any
  // graph.
  for (int round = 0; round < 100; ++round) {
    Planner planner(graph);
    const bool done = planner.Run();
    copies += planner.fixes();
    if (!done) continue;
    ViewPlan plan = planner.TakePlan();
    plan.copies_inserted = copies;
    return plan;
  }
  TENON_CHECK(false, "the layout of graph {} does not settle", graph.name);
  __builtin_unreachable();
}

}  // namespace tenon
