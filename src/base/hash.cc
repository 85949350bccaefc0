#include "base/hash.h"

#include <fmt/format.h>
#include <xxhash.h>

#include "base/file.h"

namespace tenon {

std::string Digest::ToString() const { return fmt::format("{:016x}{:016x}", high, low); }

Digest HashBytes(std::span<const std::byte> bytes) {
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  return {hash.high64, hash.low64};
}

Digest HashString(std::string_view text) { return HashBytes(std::as_bytes(std::span(text.data(), text.size()))); }

Digest HashFile(const std::string& path) { return HashBytes(MappedFile(path).bytes()); }

}  // namespace tenon
