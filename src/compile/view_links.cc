#include "compile/view_links.h"

#include <algorithm>

#include "ops/index.h"

namespace tenon {
namespace {

int64_t NormalAxis(int64_t axis, const Value& value) {
  return axis < 0 ? axis + static_cast<int64_t>(value.shape().size()) : axis;
}

std::vector<SliceRange> RangesOf(const Node& slice) {
  const auto operand = [&](size_t i) { return slice.input(i) ? slice.input(i)->constant() : Tensor(); };
  return ResolveSlice(slice.input(0)->shape(), operand(1), operand(2), operand(3), operand(4));
}

bool AllConstant(const Node& node, size_t first) {
  for (size_t i = first; i < node.inputs().size(); ++i) {
    if (node.input(i) && !node.input(i)->is_constant()) return false;
  }
  return true;
}

/// Where `inner` starts along the split or concat axis of `outer`.
int64_t StartAlongAxis(const ViewLink& link, int64_t axis) {
  int64_t start = 0;
  const auto& parts = link.node->As<Concat>() ? link.node->inputs() : link.node->outputs();
  const auto* split = link.node->As<Split>();
  for (size_t i = 0; i < link.index; ++i) {
    if (parts[i]) {
      start += parts[i]->shape()[axis];
    } else if (split && link.node->input(1)) {
      start += link.node->input(1)->constant().AsInt(static_cast<int64_t>(i));
    } else {  // a dropped output of an equal split
      const int64_t total = link.outer->shape()[axis], count = split->num_outputs;
      start += std::min((total + count - 1) / count, total - start);
    }
  }
  return start;
}

Place PlaceInside(const ViewLink& link, Place place) {
  if (link.node->As<Slice>()) {
    const auto ranges = RangesOf(*link.node);
    for (size_t d = 0; d < ranges.size(); ++d) {
      place.offset_bytes += ranges[d].start * place.strides_bytes[d];
      place.strides_bytes[d] *= ranges[d].step;
    }
  } else if (link.node->As<Expand>()) {
    const Shape &from = link.outer->shape(), &to = link.inner->shape();
    std::vector<int64_t> strides(to.size(), 0);
    for (size_t i = 0; i < from.size(); ++i) {
      const size_t d = to.size() - from.size() + i;
      strides[d] = from[i] == to[d] ? place.strides_bytes[i] : 0;
    }
    place.strides_bytes = std::move(strides);
  } else {
    const auto* concat = link.node->As<Concat>();
    const int64_t axis = NormalAxis(concat ? concat->axis : link.node->As<Split>()->axis, *link.outer);
    place.offset_bytes += StartAlongAxis(link, axis) * place.strides_bytes[axis];
  }
  return place;
}

Place PlaceTransposed(const ViewLink& link, const Place& place, bool forward) {
  std::vector<int64_t> perm = link.node->As<Transpose>()->perm;
  const size_t rank = place.strides_bytes.size();
  if (perm.empty()) {
    for (size_t i = rank; i-- > 0;) perm.push_back(static_cast<int64_t>(i));
  }
  Place result = place;
  for (size_t i = 0; i < rank; ++i) {
    if (forward)
      result.strides_bytes[i] = place.strides_bytes[perm[i]];
    else
      result.strides_bytes[perm[i]] = place.strides_bytes[i];
  }
  return result;
}

}  // namespace

bool IsViewNode(const Node& node) {
  if (!node.input(0) || node.input(0)->is_constant()) return node.As<Concat>() != nullptr;
  if (node.As<Reshape>() || node.As<Expand>() || node.As<Split>()) return AllConstant(node, 1);
  if (node.As<Slice>()) {
    if (!AllConstant(node, 1)) return false;
    const auto ranges = RangesOf(node);
    return std::all_of(ranges.begin(), ranges.end(), [](const SliceRange& range) { return range.step > 0; });
  }
  return node.As<Transpose>() || node.As<Concat>();
}

std::optional<Place> FollowLink(const ViewLink& link, const Place& place, bool forward) {
  switch (link.kind) {
    case ViewLink::Kind::kInside:
      return PlaceInside(link, place);
    case ViewLink::Kind::kTranspose:
      return PlaceTransposed(link, place, forward);
    case ViewLink::Kind::kReshape:
      break;
  }
  const Value *from = forward ? link.outer : link.inner, *to = forward ? link.inner : link.outer;
  auto strides = ReshapeStrides(from->shape(), place.strides_bytes, to->shape());
  if (!strides) return std::nullopt;
  return Place{place.storage, place.offset_bytes, std::move(*strides)};
}

}  // namespace tenon
