#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace tenon {

/// 128-bit XXH3 digest: detects change and damage, not forgery.
struct Digest {
  uint64_t high = 0, low = 0;
  friend bool operator==(const Digest&, const Digest&) = default;
  friend auto operator<=>(const Digest&, const Digest&) = default;
  /// 32 hexadecimal digits.
  std::string ToString() const;
};

Digest HashBytes(std::span<const std::byte> bytes);
Digest HashString(std::string_view text);
/// Digest of a file's bytes. Throws Error(kInvalidInput) when it can't be read.
Digest HashFile(const std::string& path);

}  // namespace tenon
