#pragma once
#include <optional>
#include <string>
#include <vector>

#include "base/hash.h"
#include "verify/accuracy.h"

namespace tenon {

/// What the source's detections depend on. Labels are not among it: they are read anew each time.
struct SourceKey {
  Digest source;         ///< of the ONNX file
  std::string tenon;     ///< program version, device fingerprint and kernel family versions
  std::string input;     ///< the shape that the source is compiled for
  std::string decoding;  ///< head, preprocessing, thresholds and NMS
};

/// 32 hexadecimal digits: the key's and the images' digest. An image counts by its path, size and time of modification
/// (reading all of a large set would take as long as evaluating it).
Digest DigestOf(const SourceKey& key, const Dataset& dataset);

/// The detections of the source, one file per digest; damaged files are as good as none.
class SourceCache {
 public:
  /// @param folder made when something is put in; empty: keeps nothing
  explicit SourceCache(std::string folder) : folder_(std::move(folder)) {}

  std::optional<std::vector<ImageDetections>> Find(const Digest& digest) const;
  /// Throws Error(kInvalidInput) when the file can't be written.
  void Put(const Digest& digest, const std::vector<ImageDetections>& images) const;

 private:
  std::string PathOf(const Digest& digest) const;
  std::string folder_;
};

}  // namespace tenon
