#pragma once
#include "onnx/converter.h"
#include "ops/window.h"

namespace tenon {

/// Strides, dilations and pads of an ONNX conv or pool, with auto_pad resolved: none of them is empty.
struct WindowAttrs {
  std::vector<int64_t> kernel, strides, dilations, pads;
};

/// Reads the attributes of a node whose operand 0 is [N, C, spatial...]. Throws Error(kInvalidInput) where lengths or
/// values are wrong; Unsupported where auto_pad needs a shape that isn't static.
WindowAttrs ReadWindow(const ConvertContext& ctx, std::vector<int64_t> kernel);

/// Which side gets the odd element of padding that doesn't divide evenly.
enum class OddPadding { kBegin, kEnd };
/// Splits `total` >= 0 between axis i's begin and end in `pads`.
void SplitPadding(int64_t total, OddPadding odd, size_t i, std::vector<int64_t>& pads);

}  // namespace tenon
