#include "tolerance.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <unordered_map>

#include "ops/conv.h"
#include "ops/matmul.h"
#include "ops/pointwise.h"
#include "ops/pool.h"
#include "ops/reduce.h"
#include "ops/resize.h"
#include "ops/scatter.h"

namespace tenon::property {
namespace {

constexpr double kMargin = 8;
/// Beyond it, which of two equal formulas overflows is chance.
constexpr double kHuge = 1e30;
/// Below it, functions may flush to 0 or stop at their smallest result.
constexpr double kTiny = 1e-34;

bool IsExactUnary(UnaryKind kind) {
  switch (kind) {
    case UnaryKind::kRelu:
    case UnaryKind::kClip:
    case UnaryKind::kThresholdedRelu:
    case UnaryKind::kAbs:
    case UnaryKind::kNeg:
    case UnaryKind::kFloor:
    case UnaryKind::kCeil:
    case UnaryKind::kRound:
    case UnaryKind::kSign:
    case UnaryKind::kNot:
    case UnaryKind::kIsNaN:
    case UnaryKind::kIsInf:
    case UnaryKind::kIdentity:
      return true;
    default:
      return false;
  }
}

bool IsExactBinary(BinaryKind kind) {
  return kind >= BinaryKind::kEqual || kind == BinaryKind::kMin || kind == BinaryKind::kMax;
}

/// Whether the op gives the same bits however it is computed.
bool IsExact(const Op& op) {
  static constexpr std::string_view kExact[] = {
      "Where",   "ArgReduce", "TopK",   "OneHot",  "Trilu",    "ReverseSequence",
      "NonZero", "Compress",  "Unique", "Shape",   "Size",     "Range",
      "EyeLike", "ScatterND", "Cast",   "Squeeze", "Unsqueeze"};
  if (op.op_class() == OpClass::kIndex) return true;
  if (const auto* unary = dynamic_cast<const Unary*>(&op)) return IsExactUnary(unary->kind);
  if (const auto* binary = dynamic_cast<const Binary*>(&op)) return IsExactBinary(binary->kind);
  if (const auto* pool = dynamic_cast<const Pool*>(&op)) return pool->kind == PoolKind::kMax;
  if (const auto* resize = dynamic_cast<const Resize*>(&op)) return resize->mode == ResizeMode::kNearest;
  if (const auto* reduce = dynamic_cast<const Reduce*>(&op))
    return reduce->kind == ReduceKind::kMax || reduce->kind == ReduceKind::kMin;
  return std::find(std::begin(kExact), std::end(kExact), op.name()) != std::end(kExact);
}

bool IsProduct(const Op& op) {
  return dynamic_cast<const Conv*>(&op) || dynamic_cast<const ConvTranspose*>(&op) ||
         dynamic_cast<const MatMul*>(&op) || dynamic_cast<const Attention*>(&op);
}

double RoundoffOf(DType dtype, const NoiseLevel& level) {
  switch (dtype) {
    case DType::kFloat16:
      return level.float16;
    case DType::kBFloat16:
      return level.bfloat16;
    default:
      return level.float32;  // f64 too: folded constants are FP32 in places
  }
}

/// Whether the function is a difference of larger terms somewhere (1 + erf, exp - 1), or computed from a reduced
/// argument: its error is a rounding of those, not of the result.
bool Cancels(const Op& op) {
  if (const auto* softmax = dynamic_cast<const Softmax*>(&op)) return softmax->log;
  if (const auto* reduce = dynamic_cast<const Reduce*>(&op))
    return reduce->kind == ReduceKind::kLogSum || reduce->kind == ReduceKind::kLogSumExp;
  const auto* unary = dynamic_cast<const Unary*>(&op);
  if (!unary) return false;
  switch (unary->kind) {
    case UnaryKind::kExp:
    case UnaryKind::kSigmoid:
    case UnaryKind::kSilu:
    case UnaryKind::kSqrt:
    case UnaryKind::kReciprocal:
    case UnaryKind::kLeakyRelu:
      return false;
    default:
      return true;
  }
}

/// A product with an activation, which may cancel as well.
bool Activates(const Op& op) {
  const auto active = [](const auto* product) { return product && product->epilogue.activation != Activation::kNone; };
  return active(dynamic_cast<const Conv*>(&op)) || active(dynamic_cast<const ConvTranspose*>(&op)) ||
         active(dynamic_cast<const MatMul*>(&op));
}

/// Terms that one element of the result is a sum of, about.
double TermsOf(const Op& op, const std::vector<Tensor>& operands, const Tensor& result) {
  if (op.op_class() == OpClass::kPointwise || operands.empty() || result.elems() == 0) return 1;
  if (dynamic_cast<const MatMul*>(&op) || dynamic_cast<const Attention*>(&op))
    return static_cast<double>(std::max<int64_t>(1, operands[0].rank() ? operands[0].shape().back() : 1));
  const bool is_conv = dynamic_cast<const Conv*>(&op) || dynamic_cast<const ConvTranspose*>(&op);
  const Tensor& summed = operands[is_conv ? 1 : 0];
  const int64_t sums = is_conv ? std::max<int64_t>(summed.shape()[0], 1) : result.elems();
  return std::max(1.0, static_cast<double>(summed.elems()) / static_cast<double>(sums));
}

double LargestOf(const Tensor& tensor) {
  double largest = 0;
  for (int64_t i = 0; i < tensor.elems(); ++i) {
    const double size = std::abs(tensor.AsDouble(i));
    if (std::isfinite(size)) largest = std::max(largest, size);
  }
  return largest;
}

class NoisyEvaluation {
 public:
  NoisyEvaluation(const Graph& graph, const NoiseLevel& level, uint32_t seed)
      : graph_(graph), level_(level), random_(seed) {}

  std::vector<Tensor> Run(const std::vector<Tensor>& inputs) {
    for (size_t i = 0; i < inputs.size(); ++i) values_[graph_.inputs()[i]] = inputs[i];
    for (const auto& node : graph_.nodes()) Evaluate(*node);
    std::vector<Tensor> outputs;
    for (const Value* output : graph_.outputs()) outputs.push_back(ValueOf(output));
    return outputs;
  }

 private:
  Tensor ValueOf(const Value* value) const {
    return !value ? Tensor() : value->is_constant() ? value->constant() : values_.at(value);
  }

  /// Casts to 16 bits round, which a graph computed in FP32 may leave out.
  static bool Rounds(const Node& node) {
    return node.op().name() == "Cast" &&
           (node.output()->dtype() == DType::kFloat16 || node.output()->dtype() == DType::kBFloat16 ||
            node.output()->dtype() == DType::kFloat32);
  }

  void Evaluate(const Node& node) {
    const bool exact = IsExact(node.op()) && !Rounds(node);
    std::vector<Tensor> operands;
    const bool is_resize = node.As<Resize>() != nullptr;  // whose other operands decide the shape
    for (const Value* input : node.inputs()) {
      Tensor operand = ValueOf(input);
      operands.push_back(exact || !input || (is_resize && !operands.empty())
                             ? operand
                             : Moved(operand, IsProduct(node.op()) ? level_.products : 0, 0));
    }
    std::vector<Tensor> results = node.op().Evaluate(operands);
    for (size_t i = 0; i < node.outputs().size(); ++i) {
      if (!node.output(i)) continue;
      // The partial sums are rounded too: they are as large as the largest result, and their roundings add up at
      // random.
      const double terms = TermsOf(node.op(), operands, results[i]);
      double absolute = terms > 1 ? level_.float32 * std::sqrt(terms) / 4 * LargestOf(results[i]) : kTiny;
      const double roundoff = RoundoffOf(results[i].dtype(), level_);
      if (dynamic_cast<const Conv*>(&node.op()))
        absolute += level_.transforms * std::sqrt(terms) * LargestOf(operands[0]) * LargestOf(operands[1]);
      if (Activates(node.op())) absolute = std::max(absolute, roundoff);
      if (Cancels(node.op())) absolute = std::max(absolute, roundoff / 4 * std::min(4.0, 1 + LargestOf(operands[0])));
      values_[node.output(i)] = exact && !level_.stored ? results[i] : Moved(results[i], 0, absolute);
    }
  }

  /// Each element times 1 + noise, plus noise of the absolute size.
  Tensor Moved(const Tensor& tensor, double extra, double absolute) {
    if (!IsFloat(tensor.dtype()) || tensor.elems() == 0) return tensor;
    const double amplitude = std::max(RoundoffOf(tensor.dtype(), level_), extra);
    Tensor moved = Tensor(DType::kFloat64, tensor.shape());
    if (tensor.dtype() == DType::kFloat16) absolute = std::max(absolute, 0x1p-24);  // where it underflows
    std::uniform_real_distribution<double> noise(-amplitude, amplitude);
    for (int64_t i = 0; i < tensor.elems(); ++i)
      moved.data<double>()[i] = tensor.AsDouble(i) * (1 + noise(random_)) + absolute * noise(random_) / amplitude;
    return moved.CastTo(tensor.dtype());
  }

  const Graph& graph_;
  const NoiseLevel& level_;
  std::mt19937 random_;
  std::unordered_map<const Value*, Tensor> values_;
};

/// The largest move of each element over the runs, times the margin; at least the margin times the typical move of
/// its tensor, since single elements may be lucky.
Tolerance FromMoves(const Tensor& expected, const std::vector<const Tensor*>& runs, double margin) {
  Tolerance tolerance;
  tolerance.absolute.assign(static_cast<size_t>(expected.elems()), 0);
  double sum_squares = 0;
  int64_t counted = 0;
  for (int64_t i = 0; i < expected.elems(); ++i) {
    const double center = expected.AsDouble(i);
    double& move = tolerance.absolute[static_cast<size_t>(i)];
    for (const Tensor* run : runs) {
      const double value = run->shape() == expected.shape() ? run->AsDouble(i) : std::nan("");
      if (std::isnan(center) && std::isnan(value)) continue;
      if (center == value) continue;
      move = std::max(move, std::isfinite(center) && std::isfinite(value) && std::abs(center) < kHuge
                                ? std::abs(value - center)
                                : std::numeric_limits<double>::infinity());
    }
    if (std::isfinite(move)) sum_squares += move * move, ++counted;
  }
  const double typical = counted ? std::sqrt(sum_squares / static_cast<double>(counted)) : 0;
  for (int64_t i = 0; i < expected.elems(); ++i) {
    double& move = tolerance.absolute[static_cast<size_t>(i)];
    if (typical > 0) move = margin * (move + typical / 4);
    if (IsFloat(expected.dtype())) move += kTiny;
  }
  return tolerance;
}

}  // namespace

std::vector<Tolerance> DeriveTolerances(const Graph& graph, const std::vector<Tensor>& inputs,
                                        const std::vector<Tensor>& expected, NoiseLevel level, Effort effort) {
  const bool thorough = effort == Effort::kThorough;
  if (thorough)
    level.float32 *= kMargin, level.products *= kMargin, level.float16 *= kMargin, level.bfloat16 *= kMargin;
  std::vector<std::vector<Tensor>> runs;
  for (uint32_t run = 0; run < (thorough ? 64 : 4); ++run)
    runs.push_back(NoisyEvaluation(graph, level, run + 1).Run(inputs));
  std::vector<Tolerance> tolerances;
  for (size_t i = 0; i < expected.size(); ++i) {
    std::vector<const Tensor*> of_output;
    for (const auto& run : runs) of_output.push_back(&run[i]);
    tolerances.push_back(FromMoves(expected[i], of_output, thorough ? 2 : kMargin));
  }
  return tolerances;
}

std::string CompareOutputs(const std::vector<Tensor>& got, const std::vector<Tensor>& expected,
                           const std::vector<Tolerance>& tolerances) {
  for (size_t o = 0; o < expected.size(); ++o) {
    if (got[o].type() != expected[o].type()) {
      // A shape that depends on inexact data may be another.
      if (!tolerances[o].absolute.empty() && std::isinf(tolerances[o].absolute[0])) continue;
      return fmt::format("output {} is {}, not {}", o, ToString(got[o].type()), ToString(expected[o].type()));
    }
    for (int64_t i = 0; i < expected[o].elems(); ++i) {
      const double g = got[o].AsDouble(i), want = expected[o].AsDouble(i);
      const double tolerance = tolerances[o].absolute[static_cast<size_t>(i)];
      if (g == want || (std::isnan(g) && std::isnan(want)) || std::abs(g - want) <= tolerance) continue;
      if (std::isinf(tolerance)) continue;
      // The logarithm of what cancels to 1e-8, or to 0: where roundings move an element by much of its size.
      if (!std::isfinite(g) && std::isfinite(want) && tolerance >= std::abs(want) / 4) continue;
      return fmt::format("output {} element {}: {} instead of {} (tolerance {})", o, i, g, want, tolerance);
    }
  }
  return {};
}

}  // namespace tenon::property
