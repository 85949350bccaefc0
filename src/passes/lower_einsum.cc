#include "passes/lower_einsum.h"

#include <algorithm>
#include <map>

#include "ops/einsum.h"
#include "ops/index.h"
#include "ops/matmul.h"
#include "passes/rewrite.h"

namespace tenon {
namespace {

bool Has(const std::string& labels, char label) { return labels.find(label) != std::string::npos; }

/// An Einsum read as a matrix product: labels of each role, in the order of the output (inner: of operand 0).
struct Product {
  std::string batch, rows, columns, inner;
  std::map<char, int64_t> sizes;

  Shape ShapeOf(const std::string& labels) const {
    Shape shape;
    for (const char label : labels) shape.push_back(sizes.at(label));
    return shape;
  }
  int64_t Count(const std::string& labels) const { return ElemCount(ShapeOf(labels)); }
};

/// Sizes by label; false for a diagonal or where a 1 is broadcast.
bool CollectSizes(const std::string& labels, const Shape& shape, std::map<char, int64_t>& sizes) {
  for (size_t i = 0; i < labels.size(); ++i) {
    if (labels.find(labels[i]) != i) return false;
    const auto [found, is_new] = sizes.emplace(labels[i], shape[i]);
    if (!is_new && found->second != shape[i]) return false;
  }
  return true;
}

std::optional<Product> AsProduct(const EinsumTerms& terms, const Node& node) {
  Product product;
  const std::string &a = terms.operands[0], &b = terms.operands[1];
  for (const size_t i : {0, 1}) {
    if (!CollectSizes(terms.operands[i], node.input(i)->shape(), product.sizes)) return {};
  }
  for (const char label : terms.output) {
    (Has(a, label) && Has(b, label) ? product.batch : Has(a, label) ? product.rows : product.columns) += label;
  }
  for (const char label : a) {
    if (Has(terms.output, label)) continue;
    if (!Has(b, label)) return {};  // a plain sum over one operand
    product.inner += label;
  }
  const bool all_used =
      std::all_of(b.begin(), b.end(), [&](char label) { return Has(terms.output, label) || Has(a, label); });
  return all_used ? std::optional(product) : std::nullopt;
}

class EinsumLowering {
 public:
  EinsumLowering(Graph& graph, Node* node, const Product& product) : graph_(graph), node_(node), product_(product) {}

  void Run(const EinsumTerms& terms) {
    Value* a = Matrix(node_->input(0), terms.operands[0], product_.rows, product_.inner);
    Value* b = Matrix(node_->input(1), terms.operands[1], product_.inner, product_.columns);
    MatMul matmul;
    matmul.epilogue.out = node_->output()->dtype();
    Node* result = graph_.AddOp(matmul, {a, b}, node_->name(), node_);
    const std::string labels = product_.batch + product_.rows + product_.columns;
    Value* unfolded = AddReshape(result->output(), product_.ShapeOf(labels));
    ReplaceByNode(graph_, node_->output(), std::make_unique<Transpose>(MakeTranspose(labels, terms.output)),
                  {unfolded});
  }

 private:
  static Transpose MakeTranspose(const std::string& from, const std::string& to) {
    Transpose transpose;
    for (const char label : to) transpose.perm.push_back(static_cast<int64_t>(from.find(label)));
    return transpose;
  }

  Value* AddReshape(Value* x, const Shape& shape) {
    Reshape reshape;
    reshape.allow_zero = true;
    return graph_.AddOp(reshape, {x, AddIntsConstant(graph_, shape)}, "", node_)->output();
  }

  /// The operand as [batch..., rows, columns].
  Value* Matrix(Value* x, const std::string& labels, const std::string& rows, const std::string& columns) {
    const Node* turned = graph_.AddOp(MakeTranspose(labels, product_.batch + rows + columns), {x}, "", node_);
    Shape shape = product_.ShapeOf(product_.batch);
    shape.insert(shape.end(), {product_.Count(rows), product_.Count(columns)});
    return AddReshape(turned->output(), shape);
  }

  Graph& graph_;
  Node* node_;
  const Product& product_;
};

bool Lower(Graph& graph, Node* node) {
  const auto* einsum = node->As<Einsum>();
  if (!einsum || node->inputs().size() != 2 || !node->input(0)->has_shape() || !node->input(1)->has_shape() ||
      !IsFloat(node->output()->dtype()))
    return false;
  const EinsumTerms terms = ResolveEinsum(einsum->equation, {static_cast<int64_t>(node->input(0)->shape().size()),
                                                             static_cast<int64_t>(node->input(1)->shape().size())});
  const auto product = AsProduct(terms, *node);
  if (!product || terms.output.empty()) return false;
  EinsumLowering(graph, node, *product).Run(terms);
  return true;
}

}  // namespace

bool LowerEinsum(Graph& graph, const PassContext&) {
  bool changed = false;
  for (Node* node : graph.NodeList()) changed |= Lower(graph, node);
  return changed;
}

}  // namespace tenon
