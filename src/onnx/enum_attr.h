#pragma once
#include <algorithm>
#include <array>

#include "onnx/converter.h"

namespace tenon {

/// A string attribute that names an enumerator: `names[i]` is the text of the one with value i.
/// Throws Error(kInvalidInput) for another text.
template <class E, size_t N>
E EnumAttr(const ConvertContext& ctx, std::string_view attr, std::string_view fallback,
           const std::array<std::string_view, N>& names) {
  const std::string text = ctx.String(attr, std::string(fallback));
  const auto found = std::find(names.begin(), names.end(), text);
  if (found == names.end()) ThrowInvalid("{}: bad {} '{}'", ctx.op_type(), attr, text);
  return static_cast<E>(found - names.begin());
}

}  // namespace tenon
