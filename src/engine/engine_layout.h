#pragma once
#include <cstdint>

namespace tenon {

inline constexpr uint64_t kSectionAlignment = 64;
inline constexpr char kEngineMagic[9] = "TENON\r\n\x1a";

/// The first 64 bytes of an engine file; see engine_file.h.
struct EngineHeader {
  char magic[8];
  uint32_t version;
  uint32_t reserved;
  uint64_t index_bytes;
  uint64_t digest_high, digest_low;
  uint8_t zeros[24];
};
static_assert(sizeof(EngineHeader) == 64);

inline uint64_t AlignSection(uint64_t offset) {
  return (offset + kSectionAlignment - 1) / kSectionAlignment * kSectionAlignment;
}

}  // namespace tenon
