#pragma once
#include <string>
#include <vector>

#include "ir/graph.h"

namespace tenon::property {

/// How far the elements of one output may lie from the reference's. Derived from the graph itself: it is evaluated
/// again a few times with every inexact operation's operands and results moved at random by a few roundings of their
/// type, and what that changes, times a margin, is what another order of summation or another formula may change.
/// Operations that only move, compare or count elements add nothing: on exact operands they must be exact.
struct Tolerance {
  std::vector<double> absolute;  ///< per element; infinite where the noise changes whether it is a number at all
};

/// Roundings that the noise stands for.
struct NoiseLevel {
  double float32 = 0x1p-22;  ///< four times the unit roundoff (2^-24)
  double float16 = 0x1p-9, bfloat16 = 0x1p-6;
  double products = 0;  ///< what operands of convolutions and matrix products are rounded by beyond that
  /// Of convolutions by Winograd: what each term of a sum is off by, whatever its size, by the largest that it could
  /// be.
  double transforms = 0;
  bool stored = false;  ///< results of exact operations are rounded too, as where tensors are stored in BF16
};

/// A few evaluations with the noise, their moves times a margin: enough to pass almost every graph. Or many with more
/// noise instead of the margin, which find the elements beside a jump (a threshold, a tie).
enum class Effort { kQuick, kThorough };

/// One Tolerance per graph output. `expected` are the reference's outputs.
std::vector<Tolerance> DeriveTolerances(const Graph& graph, const std::vector<Tensor>& inputs,
                                        const std::vector<Tensor>& expected, NoiseLevel level, Effort effort);

/// Empty when every element of `got` is within its tolerance (an infinity or NaN wherever the reference has it); else
/// which element isn't.
std::string CompareOutputs(const std::vector<Tensor>& got, const std::vector<Tensor>& expected,
                           const std::vector<Tolerance>& tolerances);

}  // namespace tenon::property
