#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <string>
#include <vector>

#include "base/hash.h"
#include "engine/engine_file.h"
#include "engine/engine_layout.h"
#include "fuzzing.h"

namespace {

/// Makes the header fit the bytes behind it: otherwise no mutation would get past the digest of the index.
void MendHeader(std::vector<uint8_t>& file) {
  tenon::EngineHeader header;
  if (file.size() < sizeof(header)) return;
  std::memcpy(&header, file.data(), sizeof(header));
  std::memcpy(header.magic, tenon::kEngineMagic, sizeof(header.magic));
  header.version = tenon::kEngineFormatVersion;
  header.index_bytes = std::min<uint64_t>(header.index_bytes, file.size() - sizeof(header));
  const auto index = tenon::fuzzing::Bytes(file.data() + sizeof(header), header.index_bytes);
  const tenon::Digest digest = tenon::HashBytes(index);
  header.digest_high = digest.high;
  header.digest_low = digest.low;
  std::memcpy(file.data(), &header, sizeof(header));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::vector<uint8_t> file(data, data + size);
  MendHeader(file);
  // The reader maps files: one in memory, written anew each time.
  static const std::string path = "/dev/shm/tenon-fuzz-" + std::to_string(getpid());
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(file.data()), static_cast<std::streamsize>(file.size()));
  return tenon::fuzzing::Try([] { tenon::ReadEngine(path); });
}
