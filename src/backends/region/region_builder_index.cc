#include <algorithm>

#include "backends/region/region_builder.h"
#include "ops/index.h"

// Index ops of a region's body: they only change the index at which their input is built.

namespace tenon::region {
namespace {

[[noreturn]] void Unsupported(std::string reason) { throw RegionUnsupported{std::move(reason)}; }

int64_t FloorDiv(int64_t a, int64_t b) { return a / b - (a % b != 0 && (a < 0) != (b < 0)); }
int64_t CeilDiv(int64_t a, int64_t b) { return -FloorDiv(-a, b); }

size_t AxisOf(int64_t axis, size_t rank) {
  return static_cast<size_t>(axis < 0 ? axis + static_cast<int64_t>(rank) : axis);
}

Tensor ConstantOperand(const Node& node, size_t i) {
  const Value* value = node.input(i);
  if (!value) return {};
  if (!value->is_constant()) Unsupported(fmt::format("{} whose operand {} isn't constant", node.op().name(), i));
  return value->constant();
}

}  // namespace

int64_t RegionBuilder::LowestOf(const Affine& index) const {
  int64_t lowest = index.constant;
  for (size_t l = 0; l < extents_.size(); ++l) lowest += std::min<int64_t>(0, index.terms[l] * (extents_[l] - 1));
  return lowest;
}

int64_t RegionBuilder::HighestOf(const Affine& index) const {
  int64_t highest = index.constant;
  for (size_t l = 0; l < extents_.size(); ++l) highest += std::max<int64_t>(0, index.terms[l] * (extents_[l] - 1));
  return highest;
}

/// Cuts the domain where `index`, which crosses `boundary`, reaches it.
void RegionBuilder::CutAt(const Affine& index, int64_t boundary) const {
  const int64_t lowest = LowestOf(index);
  int best = -1;
  for (size_t l = 0; l < extents_.size(); ++l) {
    if (index.terms[l] > 0 && (best < 0 || index.terms[l] > index.terms[static_cast<size_t>(best)]))
      best = static_cast<int>(l);
  }
  if (best < 0) Unsupported("a reversed index across a joint");
  const int64_t at = CeilDiv(boundary - lowest, index.terms[static_cast<size_t>(best)]);
  if (at <= 0 || at >= extents_[static_cast<size_t>(best)]) Unsupported("a joint inside of a split dimension");
  throw LoopChange{LoopChange::Kind::kCut, best, at};
}

RegionBuilder::Quotient RegionBuilder::Divide(const Affine& index, int64_t divisor) const {
  Quotient result{Constant(FloorDiv(index.constant, divisor)), Constant(0)};
  result.remainder.constant = index.constant - result.quotient.constant * divisor;
  for (size_t l = 0; l < extents_.size(); ++l) {
    if (index.terms[l] % divisor == 0) {
      result.quotient.terms[l] = index.terms[l] / divisor;
    } else {
      result.remainder.terms[l] = index.terms[l];
    }
  }
  const Affine& rest = result.remainder;
  if (LowestOf(rest) >= 0 && HighestOf(rest) < divisor) return result;
  if (LowestOf(rest) < 0) Unsupported("a reversed index into a reshaped dimension");
  for (size_t l = 0; l < extents_.size(); ++l) {
    const int64_t term = rest.terms[l];
    if (term == 0 || divisor % term != 0 || extents_[l] <= divisor / term) continue;
    const int64_t steps = divisor / term;
    if (rest.constant != 0) CutAt(rest, divisor);
    if (extents_[l] % steps == 0) throw LoopChange{LoopChange::Kind::kSplit, static_cast<int>(l), steps};
    throw LoopChange{LoopChange::Kind::kCut, static_cast<int>(l), extents_[l] / steps * steps};
  }
  CutAt(rest, divisor);
}

int RegionBuilder::BuildConcat(const Node& node, const Index& index) {
  const size_t axis = AxisOf(node.As<Concat>()->axis, index.size());
  const int64_t low = LowestOf(index[axis]), high = HighestOf(index[axis]);
  int64_t start = 0;
  for (const Value* input : node.inputs()) {
    const int64_t end = start + input->shape()[axis];
    if (low < end) {
      if (high >= end) CutAt(index[axis], end);
      Index part = index;
      part[axis].constant -= start;
      return Build(input, part);
    }
    start = end;
  }
  Unsupported("Concat: an index out of range");
}

int RegionBuilder::BuildSplit(const Node& node, const Value* value, const Index& index) {
  const auto& op = *node.As<Split>();
  const size_t axis = AxisOf(op.axis, index.size());
  const int64_t dim = node.input(0)->shape()[axis];
  const int which = value->producer_index();
  const Tensor sizes = ConstantOperand(node, 1);
  Index whole = index;
  if (sizes.is_null()) {
    whole[axis].constant += CeilDiv(dim, op.num_outputs) * which;
  } else {
    for (int i = 0; i < which; ++i) whole[axis].constant += sizes.AsInt(i);
  }
  return Build(node.input(0), whole);
}

int RegionBuilder::BuildSlice(const Node& node, const Index& index) {
  const Value* x = node.input(0);
  const std::vector<SliceRange> ranges = ResolveSlice(x->shape(), ConstantOperand(node, 1), ConstantOperand(node, 2),
                                                      ConstantOperand(node, 3), ConstantOperand(node, 4));
  Index whole = index;
  for (size_t d = 0; d < whole.size(); ++d) {
    whole[d].constant = ranges[d].start + whole[d].constant * ranges[d].step;
    for (int64_t& term : whole[d].terms) term *= ranges[d].step;
  }
  return Build(x, whole);
}

int RegionBuilder::BuildTranspose(const Node& node, const Index& index) {
  const std::vector<int64_t>& perm = node.As<Transpose>()->perm;
  Index original(index.size());
  for (size_t d = 0; d < index.size(); ++d)
    original[perm.empty() ? index.size() - 1 - d : static_cast<size_t>(perm[d])] = index[d];
  return Build(node.input(0), original);
}

// Dimensions are taken in the smallest groups of equal products, so that most indices pass through undivided.
int RegionBuilder::BuildReshape(const Node& node, const Index& index) {
  const Shape& from = node.input(0)->shape();
  const Shape& to = node.output()->shape();
  Index result(from.size(), Constant(0));
  size_t f = 0, t = 0;
  while (f < from.size() || t < to.size()) {
    const size_t f_begin = f, t_begin = t;
    int64_t f_product = f < from.size() ? from[f++] : 1;
    int64_t t_product = t < to.size() ? to[t++] : 1;
    while (f_product != t_product) {
      if (f_product < t_product) {
        TENON_CHECK(f < from.size(), "reshape {} to {}", ToString(from), ToString(to));
        f_product *= from[f++];
      } else {
        TENON_CHECK(t < to.size(), "reshape {} to {}", ToString(from), ToString(to));
        t_product *= to[t++];
      }
    }
    Affine flat = Constant(0);
    for (size_t d = t_begin; d < t; ++d) {
      flat.constant = flat.constant * to[d] + index[d].constant;
      for (size_t l = 0; l < extents_.size(); ++l) flat.terms[l] = flat.terms[l] * to[d] + index[d].terms[l];
    }
    for (size_t d = f; d-- > f_begin;) {
      if (d == f_begin) {
        result[d] = flat;
      } else {
        Quotient parts = Divide(flat, from[d]);
        result[d] = std::move(parts.remainder);
        flat = std::move(parts.quotient);
      }
    }
  }
  return Build(node.input(0), result);
}

}  // namespace tenon::region
