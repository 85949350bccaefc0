#pragma once
#include <fmt/format.h>

#include <string>
#include <utility>

#include "tenon/error.hpp"

namespace tenon {

/// The parts of a message in the house form; empty parts are left out.
struct ErrorParts {
  std::string what, where, got, expected, hint;
};

/// "WHAT (WHERE): got X, expected Y. TRY"
std::string FormatError(const ErrorParts& parts);

[[noreturn]] void ThrowInvalid(const ErrorParts& parts);
[[noreturn]] void ThrowUnsupported(const ErrorParts& parts);

template <class... Args>
[[noreturn]] void ThrowInvalid(fmt::format_string<Args...> format, Args&&... args) {
  throw Error(ErrorCode::kInvalidInput, fmt::format(format, std::forward<Args>(args)...));
}

namespace internal {
[[noreturn]] void CheckFailed(const char* file, int line, const char* condition, const std::string& message);
inline std::string CheckMessage() { return {}; }
template <class... Args>
std::string CheckMessage(fmt::format_string<Args...> format, Args&&... args) {
  return fmt::format(format, std::forward<Args>(args)...);
}
}  // namespace internal
}  // namespace tenon

/// An invariant of Tenon's own; always on. A failure is a bug (ErrorCode::kInternal), never the user's fault.
#define TENON_CHECK(condition, ...) \
  (static_cast<bool>(condition)     \
       ? void(0)                    \
       : ::tenon::internal::CheckFailed(__FILE__, __LINE__, #condition, ::tenon::internal::CheckMessage(__VA_ARGS__)))
