#include "ops/channel_trace.h"

#include "ops/index.h"
#include "ops/pool.h"
#include "ops/resize.h"

namespace tenon {
namespace {

int64_t ChannelsOf(const Value* value) {
  return value && value->has_shape() && value->shape().size() > 1 ? value->shape()[1] : 0;
}

bool IsAlongChannels(int64_t axis, const Value* value) {
  return axis == 1 || axis + static_cast<int64_t>(value->shape().size()) == 1;
}

bool KeepsChannels(const Node& node) {
  const auto* pool = node.As<Pool>();
  const auto* resize = node.As<Resize>();
  return ((pool && pool->kind == PoolKind::kMax) || (resize && resize->mode == ResizeMode::kNearest)) &&
         ChannelsOf(node.input(0)) == ChannelsOf(node.output());
}

std::vector<double> Trace(const Value* value, const NumbersOfMaker& of) {
  const auto channels = static_cast<size_t>(ChannelsOf(value));
  std::vector<double> numbers;
  const Node* node = value ? value->producer() : nullptr;
  if (node && channels > 0) {
    if (auto own = of(*value)) {
      numbers = *std::move(own);
    } else if (const auto* concat = node->As<Concat>(); concat && IsAlongChannels(concat->axis, value)) {
      for (const Value* part : node->inputs()) {
        const std::vector<double> more = Trace(part, of);
        numbers.insert(numbers.end(), more.begin(), more.end());
      }
    } else if (const auto* split = node->As<Split>(); split && IsAlongChannels(split->axis, value)) {
      const std::vector<double> whole = Trace(node->input(0), of);
      size_t begin = 0;
      for (size_t i = 0; node->output(i) != value; ++i) begin += static_cast<size_t>(ChannelsOf(node->output(i)));
      if (begin + channels <= whole.size())
        numbers.assign(whole.begin() + static_cast<int64_t>(begin),
                       whole.begin() + static_cast<int64_t>(begin + channels));
    } else if (KeepsChannels(*node)) {
      numbers = Trace(node->input(0), of);
    }
  }
  if (numbers.size() != channels) numbers.assign(channels, 1);
  return numbers;
}

}  // namespace

std::vector<double> TraceChannels(const Value& value, const NumbersOfMaker& of) { return Trace(&value, of); }

}  // namespace tenon
