#include "base/error.h"

#include <algorithm>

#include "base/one_line.h"

namespace tenon {

std::string OneLine(std::string text) {
  constexpr size_t kLongest = 1400, kTail = 300;  // the tail has what to try
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, '?');
  if (text.size() > kLongest) text.replace(kLongest - kTail, text.size() - kLongest, " ... ");
  return text;
}

std::string FormatError(const ErrorParts& parts) {
  std::string text = parts.what;
  if (!parts.where.empty()) text += fmt::format(" ({})", parts.where);
  if (!parts.got.empty()) text += fmt::format(": got {}", parts.got);
  if (!parts.expected.empty()) text += fmt::format("{} expected {}", parts.got.empty() ? ":" : ",", parts.expected);
  if (!parts.hint.empty()) text += fmt::format(". {}", parts.hint);
  return OneLine(std::move(text));
}

void ThrowInvalid(const ErrorParts& parts) { throw Error(ErrorCode::kInvalidInput, FormatError(parts)); }
void ThrowUnsupported(const ErrorParts& parts) { throw Error(ErrorCode::kUnsupportedDevice, FormatError(parts)); }

namespace internal {
void CheckFailed(const char* file, int line, const char* condition, const std::string& message) {
  throw Error(ErrorCode::kInternal, fmt::format("internal error ({}:{}): {} does not hold{}{}", file, line, condition,
                                                message.empty() ? "" : ": ", message));
}
}  // namespace internal
}  // namespace tenon
