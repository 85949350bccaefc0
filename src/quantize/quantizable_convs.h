#pragma once
#include <set>
#include <string>
#include <vector>

#include "ir/graph.h"

namespace tenon {

/// A Conv of the fused float graph that could compute in INT8, and where its activations come from.
struct QuantizableConv {
  Node* node = nullptr;
  Value* input = nullptr;
  /// The tensors that hold the input's elements before ops that only move them: what would be stored in 8 bits.
  std::vector<Value*> sources;
  double flops = 0;
};

/// Convs in FP32 with constant weights and bias and a static shape, in graph order.
std::vector<QuantizableConv> FindQuantizableConvs(const Graph& graph);
/// Their names.
std::set<std::string> QuantizableConvNames(const Graph& graph);

/// FLOPs of all convolutions, matrix products and attention: what a share of INT8 is measured against.
double DenseFlops(const Graph& graph);

/// Tensors that must be stored with one scale: sources that meet as parts of one conv's input.
class ScaleGroups {
 public:
  explicit ScaleGroups(const std::vector<QuantizableConv>& convs);
  /// Groups are numbered from 0 in the order of their first conv.
  size_t size() const { return members_.size(); }
  const std::vector<Value*>& sources(size_t group) const { return members_[group]; }
  /// The distinct conv inputs whose elements the group's tensors hold.
  const std::vector<Value*>& inputs(size_t group) const { return inputs_[group]; }

 private:
  std::vector<std::vector<Value*>> members_, inputs_;
};

}  // namespace tenon
