#include "ops/einsum.h"

#include <algorithm>
#include <map>

#include "ops/operands.h"

namespace tenon {
namespace {

constexpr std::string_view kEllipsis = "...";
constexpr int64_t kMaxRank = 64;  // of an ellipsis: its labels are chars

[[noreturn]] void ThrowEquation(const std::string& equation, std::string_view why) {
  ThrowInvalid("Einsum: equation \"{}\": {}", equation, why);
}

bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/// The labels of the last `count` dimensions of the widest ellipsis, which has `widest`.
std::string EllipsisLabels(int64_t count, int64_t widest) {
  std::string labels;
  for (int64_t i = widest - count; i < widest; ++i) labels += static_cast<char>('\x80' + i);
  return labels;
}

std::vector<std::string> SplitTerms(const std::string& text) {
  std::vector<std::string> terms(1);
  for (const char c : text) {
    if (c == ',') {
      terms.emplace_back();
    } else {
      terms.back() += c;
    }
  }
  return terms;
}

/// How many dimensions the ellipsis of a term covers in an operand of `rank`; 0 without one. Checks the term.
int64_t EllipsisRank(const std::string& equation, const std::string& term, int64_t rank) {
  const size_t dots = term.find(kEllipsis);
  std::string letters = term;
  if (dots != std::string::npos) letters.erase(dots, kEllipsis.size());
  if (!std::all_of(letters.begin(), letters.end(), IsLetter))
    ThrowEquation(equation, "a term has more than letters and one ellipsis");
  const int64_t covered = rank - static_cast<int64_t>(letters.size());
  if (covered < 0 || (covered > 0 && dots == std::string::npos) || covered > kMaxRank)
    ThrowEquation(equation, "a term doesn't fit its operand's rank");
  return covered;
}

std::string ReplaceEllipsis(std::string term, const std::string& labels) {
  const size_t dots = term.find(kEllipsis);
  return dots == std::string::npos ? term : term.replace(dots, kEllipsis.size(), labels);
}

/// Implicit output: the ellipsis, then the letters that occur once, in alphabetical order.
std::string ImplicitOutput(const std::vector<std::string>& terms) {
  std::map<char, int> counts;
  for (const std::string& term : terms) {
    for (const char c : term) counts[c] += IsLetter(c);
  }
  std::string output(kEllipsis);
  for (const auto& [label, count] : counts) {
    if (count == 1) output += label;
  }
  return output;
}

/// Size of every label; ellipsis dimensions broadcast, letters must agree.
std::map<char, int64_t> LabelSizes(const EinsumTerms& terms, const std::vector<Shape>& shapes) {
  std::map<char, int64_t> sizes;
  for (size_t k = 0; k < shapes.size(); ++k) {
    for (size_t i = 0; i < shapes[k].size(); ++i) {
      const auto [entry, is_new] = sizes.try_emplace(terms.operands[k][i], shapes[k][i]);
      if (entry->second == 1) entry->second = shapes[k][i];
      if (!is_new && shapes[k][i] != 1 && shapes[k][i] != entry->second) {
        ThrowInvalid("Einsum: an index has sizes {} and {}", entry->second, shapes[k][i]);
      }
    }
  }
  return sizes;
}

std::vector<int64_t> Ranks(const std::vector<Shape>& shapes) {
  std::vector<int64_t> ranks;
  for (const Shape& shape : shapes) ranks.push_back(static_cast<int64_t>(shape.size()));
  return ranks;
}

/// All loops of the evaluation: the output's labels, then those summed over.
struct Loops {
  std::vector<int64_t> sizes;
  std::vector<std::vector<int64_t>> strides;  ///< per operand, per loop; a repeated label adds its strides
  size_t output_rank = 0;
};

Loops MakeLoops(const EinsumTerms& terms, const std::vector<Shape>& shapes) {
  const std::map<char, int64_t> sizes = LabelSizes(terms, shapes);
  std::string labels = terms.output;
  for (const auto& [label, size] : sizes) {
    if (labels.find(label) == std::string::npos) labels += label;
  }
  Loops loops;
  loops.output_rank = terms.output.size();
  for (const char label : labels) loops.sizes.push_back(sizes.at(label));
  for (size_t k = 0; k < shapes.size(); ++k) {
    std::vector<int64_t> strides(labels.size(), 0);
    const std::vector<int64_t> own = ContiguousStrides(shapes[k]);
    for (size_t i = 0; i < own.size(); ++i) {
      if (shapes[k][i] != 1) strides[labels.find(terms.operands[k][i])] += own[i];
    }
    loops.strides.push_back(std::move(strides));
  }
  return loops;
}

/// Sum of products over the loops from `depth` on; `at` holds each operand's offset.
double SumOver(const Loops& loops, const std::vector<Tensor>& operands, size_t depth, std::vector<int64_t>& at) {
  if (depth == loops.sizes.size()) {
    double product = 1;
    for (size_t k = 0; k < operands.size(); ++k) product *= operands[k].data<double>()[at[k]];
    return product;
  }
  double sum = 0;
  for (int64_t i = 0; i < loops.sizes[depth]; ++i) {
    sum += SumOver(loops, operands, depth + 1, at);
    for (size_t k = 0; k < operands.size(); ++k) at[k] += loops.strides[k][depth];
  }
  for (size_t k = 0; k < operands.size(); ++k) at[k] -= loops.strides[k][depth] * loops.sizes[depth];
  return sum;
}

}  // namespace

EinsumTerms ResolveEinsum(const std::string& equation, const std::vector<int64_t>& ranks) {
  std::string text = equation;
  std::erase(text, ' ');
  const size_t arrow = text.find("->");
  std::vector<std::string> terms = SplitTerms(text.substr(0, arrow));
  if (terms.size() != ranks.size())
    ThrowEquation(equation, fmt::format("{} terms for {} operands", terms.size(), ranks.size()));
  const std::string output = arrow == std::string::npos ? ImplicitOutput(terms) : text.substr(arrow + 2);
  int64_t widest = 0;
  std::vector<int64_t> covered;
  for (size_t k = 0; k < terms.size(); ++k) {
    covered.push_back(EllipsisRank(equation, terms[k], ranks[k]));
    widest = std::max(widest, covered.back());
  }
  EinsumTerms resolved;
  for (size_t k = 0; k < terms.size(); ++k)
    resolved.operands.push_back(ReplaceEllipsis(terms[k], EllipsisLabels(covered[k], widest)));
  resolved.output = ReplaceEllipsis(output, EllipsisLabels(widest, widest));
  std::string seen;
  for (const char label : resolved.output) {
    const auto has = [label](const std::string& term) { return term.find(label) != std::string::npos; };
    if (has(seen) || std::none_of(resolved.operands.begin(), resolved.operands.end(), has))
      ThrowEquation(equation, "bad output term");
    seen += label;
  }
  return resolved;
}

void Einsum::VisitAttrs(AttrVisitor& visitor) { visitor.String("equation", equation); }

std::vector<TensorType> Einsum::Infer(std::span<const InferInput> inputs) const {
  CheckOperandCount(kName, inputs, std::max<size_t>(inputs.size(), 1), std::max<size_t>(inputs.size(), 1));
  std::vector<Shape> shapes;
  for (size_t i = 0; i < inputs.size(); ++i) {
    CheckSameDType(kName, inputs, i);
    if (inputs[i].type->dtype == DType::kBool) ThrowInvalid("Einsum doesn't take bool");
    if (inputs[i].type->shape) shapes.push_back(*inputs[i].type->shape);
  }
  if (shapes.size() != inputs.size()) return {{inputs[0].type->dtype, std::nullopt}};
  const EinsumTerms terms = ResolveEinsum(equation, Ranks(shapes));
  const std::map<char, int64_t> sizes = LabelSizes(terms, shapes);
  Shape out;
  for (const char label : terms.output) out.push_back(sizes.at(label));
  ElemCount(out);  // throws when it overflows
  return {{inputs[0].type->dtype, out}};
}

std::vector<Tensor> Einsum::Evaluate(std::span<const Tensor> inputs) const {
  const TensorType out = InferTensors(*this, inputs)[0];
  std::vector<Shape> shapes;
  std::vector<Tensor> operands;
  for (const Tensor& input : inputs) {
    shapes.push_back(input.shape());
    operands.push_back(input.CastTo(DType::kFloat64));
  }
  const Loops loops = MakeLoops(ResolveEinsum(equation, Ranks(shapes)), shapes);
  Tensor y(DType::kFloat64, *out.shape);
  std::vector<int64_t> index(loops.output_rank, 0), at(operands.size(), 0);
  for (int64_t i = 0; i < y.elems(); ++i) {
    y.data<double>()[i] = SumOver(loops, operands, loops.output_rank, at);
    for (size_t d = loops.output_rank; d-- > 0;) {
      const bool wraps = ++index[d] == loops.sizes[d];
      const int64_t steps = wraps ? 1 - loops.sizes[d] : 1;
      for (size_t k = 0; k < at.size(); ++k) at[k] += loops.strides[k][d] * steps;
      if (!wraps) break;
      index[d] = 0;
    }
  }
  return {y.CastTo(out.dtype)};
}

}  // namespace tenon
