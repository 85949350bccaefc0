#pragma once
#include <algorithm>
#include <cstddef>
#include <cstring>
#include <string>

#include "base/error.h"
#include "tenon/tenon.h"

namespace tenon::internal {

/// Keeps `message` for tenon_last_error of this thread; gives the status.
tenon_status SetLastError(ErrorCode code, const char* message) noexcept;
/// The status of the exception that is being handled.
tenon_status HandleException() noexcept;

/// Runs the body of a C function: what it throws becomes a status and a message.
template <class Body>
tenon_status Guard(const Body& body) noexcept {
  try {
    body();
    return TENON_OK;
  } catch (...) {
    return HandleException();
  }
}

/// Throws Error(kInvalidInput) when an argument is null.
template <class T>
T& Require(T* argument, const char* name) {
  if (!argument) ThrowInvalid({.what = "a null argument", .where = name});
  return *argument;
}
/// Throws Error(kInvalidInput) when `size` can't be a version of a struct that has `own` bytes here and had `first` in
/// its first version.
inline void CheckStructSize(size_t size, size_t own, size_t first) {
  constexpr size_t kMostGrowth = 256;  // what newer headers may have added; more is an uninitialised struct_size
  if (size >= first && size <= own + kMostGrowth) return;
  ThrowInvalid({.what = "a struct_size of no version",
                .got = std::to_string(size),
                .expected = std::to_string(own),
                .hint = "Set it to sizeof the struct."});
}

/// A caller's options struct as this library knows it; null: all zeros.
/// Throws Error(kInvalidInput) for a wrong struct_size, or when a newer caller sets what this library doesn't know.
template <class Options>
Options ReadOptions(const Options* options) {
  Options result{};
  if (!options) return result;
  const size_t size = options->struct_size;
  CheckStructSize(size, sizeof(Options), sizeof(Options));
  const auto* bytes = reinterpret_cast<const char*>(options);
  for (size_t i = sizeof(Options); i < size; ++i) {
    if (bytes[i] != 0)
      ThrowInvalid({.what = "an option that this version of the library doesn't know", .got = tenon_version()});
  }
  std::memcpy(&result, options, sizeof(Options));
  return result;
}

/// Fills a caller's info struct, as many bytes as it has; what this library doesn't know is zero.
/// Throws Error(kInvalidInput) when it is null or its struct_size wrong. `first`: bytes of the struct's first version.
template <class Info>
void WriteInfo(Info* info, Info value, size_t first = sizeof(Info)) {
  value.struct_size = Require(info, "info").struct_size;
  CheckStructSize(value.struct_size, sizeof(Info), first);
  const size_t known = std::min(value.struct_size, sizeof(Info));
  std::memcpy(info, &value, known);
  std::memset(reinterpret_cast<char*>(info) + known, 0, value.struct_size - known);
}

}  // namespace tenon::internal
