#pragma once
#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <vector>

namespace tenon::testing_support {

using FileBytes = std::vector<std::byte>;

/// Gives the header and every section of an engine file the digests of what is there, so that damage reaches the checks
/// behind the digests: an attacker computes digests as well as we do. Bytes that are no engine come back as they are.
void MendDigests(FileBytes& file);

/// Changes one to four things of an engine: operands, attributes, tactics, kernel families, sizes, sections, the
/// graph's text, the order of steps; consistently over a step where that is likely to stay valid. Digests are right
/// afterwards. Empty when `file` has no readable index.
FileBytes MutateEngine(std::span<const std::byte> file, std::mt19937& random);

/// Moves the shape of the first input, without its first extent, to where 64-bit elements are not aligned: FlatBuffers'
/// verifier doesn't look at that. Digests are right afterwards.
void MisalignInputShape(FileBytes& file);

}  // namespace tenon::testing_support
