#include "ir/op.h"

namespace tenon {

Cost Op::EstimateCost(std::span<const TensorType> inputs, std::span<const TensorType> outputs) const {
  Cost cost;
  for (const TensorType& type : inputs) {
    if (type.shape) cost.bytes += static_cast<double>(ElemCount(*type.shape) * SizeOf(type.dtype));
  }
  for (const TensorType& type : outputs) {
    if (!type.shape) continue;
    cost.flops += static_cast<double>(ElemCount(*type.shape));
    cost.bytes += static_cast<double>(ElemCount(*type.shape) * SizeOf(type.dtype));
  }
  return cost;
}

}  // namespace tenon
