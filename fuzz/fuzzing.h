#pragma once
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string_view>

#include "tenon/error.hpp"

namespace tenon::fuzzing {

/// Runs a reader on hostile bytes: refusing them is right, a bug of Tenon's own (TENON_CHECK) or any other exception
/// is a finding.
template <class Reader>
int Try(Reader&& read) {
  try {
    read();
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kInternal) std::abort();
  }
  return 0;
}

inline std::span<const std::byte> Bytes(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const std::byte*>(data), size};
}
inline std::string_view Text(const uint8_t* data, size_t size) { return {reinterpret_cast<const char*>(data), size}; }

}  // namespace tenon::fuzzing
