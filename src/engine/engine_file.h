#pragma once
#include <memory>
#include <string>

#include "engine/program.h"

namespace tenon {

/// The .tenon file:
///   0   8 bytes   magic "TENON\r\n\x1a" (shows line-end damage by text transfers)
///   8   u32       format version
///   12  u32       reserved, 0
///   16  u64       size of the index in bytes
///   24  u64 x 2   digest of the index (XXH3-128, high, low)
///   40  24 bytes  zeros
///   64            index: FlatBuffers table Engine (engine.fbs)
///   ...           sections, each 64-byte aligned, digests in the index
/// All numbers little-endian.
inline constexpr uint32_t kEngineFormatVersion = 1;

/// Writes atomically. Same engine, same bytes. Throws Error(kInvalidInput) when the file can't be written.
/// Returns the size in bytes.
int64_t WriteEngine(const EngineModel& engine, const std::string& path);
/// The size of the file that WriteEngine would write.
int64_t EngineFileBytes(const EngineModel& engine);

/// Maps the file and checks all of it: magic, version, sizes, index (FlatBuffers verifier), every digest, every plan
/// (ValidateProgram). Weights stay in the mapping. Throws Error(kInvalidInput) for anything damaged.
std::shared_ptr<EngineModel> ReadEngine(const std::string& path);

/// As above, from a file's bytes in 64-byte aligned memory, where the weights stay. `name` stands for the path in errors.
std::shared_ptr<EngineModel> ReadEngine(const Blob& bytes, const std::string& name);

/// Whether the file starts like an engine; false when it can't be read.
bool IsEngineFile(const std::string& path);

}  // namespace tenon
