#pragma once
#include <stdexcept>
#include <string>

namespace tenon {

/// Why something failed; the value is the exit status of the command line.
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

}  // namespace tenon
