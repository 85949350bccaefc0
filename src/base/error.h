#pragma once
#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace tenon {

/// Why something failed; the value is the exit status of the command line (shared contract, docs/cli.md).
enum class ErrorCode : int {
  kGateFailed = 1,         ///< a check or gate failed
  kInvalidInput = 2,       ///< the user's file, flag or data is at fault
  kUnsupportedDevice = 3,  ///< this device can't do it
  kInternal = 70,          ///< a bug in Tenon
  kInterrupted = 130,      ///< Ctrl-C
};

/// The one exception type of Tenon. The message is one line: what failed (where): got X, expected Y. What to try.
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ErrorCode code() const { return code_; }

 private:
  ErrorCode code_;
};

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
#define TENON_CHECK(condition, ...)                                                        \
  (static_cast<bool>(condition)                                                            \
       ? void(0)                                                                           \
       : ::tenon::internal::CheckFailed(__FILE__, __LINE__, #condition,                    \
                                        ::tenon::internal::CheckMessage(__VA_ARGS__)))
