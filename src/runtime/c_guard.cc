#include "runtime/c_guard.h"

#include <exception>
#include <new>

namespace tenon::internal {
namespace {

struct LastError {
  std::string text;
  const char* message = "";  ///< text's, or a literal where memory for a text was short
};
thread_local LastError last_error;

}  // namespace

tenon_status SetLastError(ErrorCode code, const char* message) noexcept {
  try {
    last_error.text = message;
    last_error.message = last_error.text.c_str();
  } catch (const std::bad_alloc&) {
    last_error.message = "out of memory";
  }
  return static_cast<tenon_status>(code);
}

tenon_status HandleException() noexcept {
  try {
    throw;
  } catch (const Error& error) {
    return SetLastError(error.code(), error.what());
  } catch (const std::bad_alloc&) {
    return SetLastError(ErrorCode::kInvalidInput, "out of memory");
  } catch (const std::exception& error) {
    return SetLastError(ErrorCode::kInternal, error.what());
  } catch (...) {
    return SetLastError(ErrorCode::kInternal, "an exception of an unknown type");
  }
}

}  // namespace tenon::internal

const char* tenon_version(void) { return TENON_VERSION; }
const char* tenon_last_error(void) { return tenon::internal::last_error.message; }
