#include "onnx/auto_pad.h"

#include <algorithm>

#include "onnx/emit.h"

namespace tenon {

void SplitPadding(int64_t total, OddPadding odd, size_t i, std::vector<int64_t>& pads) {
  const int64_t less = total / 2, more = total - less;
  pads[i] = odd == OddPadding::kBegin ? more : less;
  pads[i + pads.size() / 2] = odd == OddPadding::kBegin ? less : more;
}

WindowAttrs ReadWindow(const ConvertContext& ctx, std::vector<int64_t> kernel) {
  const size_t rank = kernel.size();
  WindowAttrs attrs{.kernel = std::move(kernel),
                    .strides = ctx.Ints("strides", std::vector<int64_t>(rank, 1)),
                    .dilations = ctx.Ints("dilations", std::vector<int64_t>(rank, 1)),
                    .pads = ctx.Ints("pads", std::vector<int64_t>(2 * rank, 0))};
  if (attrs.strides.empty()) attrs.strides.assign(rank, 1);
  if (attrs.dilations.empty()) attrs.dilations.assign(rank, 1);
  if (attrs.pads.empty()) attrs.pads.assign(2 * rank, 0);
  const std::string auto_pad = ctx.String("auto_pad", "NOTSET");
  if (auto_pad != "NOTSET" && !auto_pad.empty()) attrs.pads.assign(2 * rank, 0);
  const Window window = Window::Make(ctx.op_type(), attrs.kernel, attrs.strides, attrs.dilations, attrs.pads);
  if (auto_pad == "NOTSET" || auto_pad.empty() || auto_pad == "VALID") return attrs;
  if (auto_pad != "SAME_UPPER" && auto_pad != "SAME_LOWER") ThrowInvalid("auto_pad is \"{}\"", auto_pad);
  const Shape& x = StaticShape(ctx, 0);
  CheckSpatialShape(ctx.op_type(), x);
  if (x.size() != rank + 2) ThrowInvalid("a kernel of {} axes on an input of {}", rank, ToString(x));
  for (size_t i = 0; i < rank; ++i) {
    const WindowAxis& axis = window.axes[i];
    const int64_t out = (x[i + 2] + axis.stride - 1) / axis.stride;
    const int64_t total = std::max<int64_t>((out - 1) * axis.stride + axis.extent() - x[i + 2], 0);
    SplitPadding(total, auto_pad == "SAME_LOWER" ? OddPadding::kBegin : OddPadding::kEnd, i, attrs.pads);
  }
  return attrs;
}

}  // namespace tenon
