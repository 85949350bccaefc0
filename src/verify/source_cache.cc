#include "verify/source_cache.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <cstring>
#include <filesystem>
#include <type_traits>

#include "base/error.h"
#include "base/file.h"

namespace tenon {
namespace {

namespace fs = std::filesystem;

// The file, of this machine's byte order as it never leaves it: magic, digest of the rest, number of images; per image
// sample, plan, number of detections, detections.
constexpr char kMagic[8] = {'T', 'N', 'S', 'R', 'C', '0', '0', '1'};
static_assert(std::is_trivially_copyable_v<LetterboxPlan> && std::is_trivially_copyable_v<Detection>);

class Writer {
 public:
  template <class T>
  void Put(const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    const auto* bytes = reinterpret_cast<const std::byte*>(&value);
    bytes_.insert(bytes_.end(), bytes, bytes + sizeof(T));
  }
  const std::vector<std::byte>& bytes() const { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  template <class T>
  bool Get(T& value) {
    if (bytes_.size() < sizeof(T)) return false;
    std::memcpy(&value, bytes_.data(), sizeof(T));
    bytes_ = bytes_.subspan(sizeof(T));
    return true;
  }
  size_t left() const { return bytes_.size(); }
  std::span<const std::byte> rest() const { return bytes_; }

 private:
  std::span<const std::byte> bytes_;
};

bool ReadImage(Reader& reader, ImageDetections& image) {
  uint64_t sample = 0, count = 0;
  if (!reader.Get(sample) || !reader.Get(image.plan) || !reader.Get(count)) return false;
  if (count > reader.left() / sizeof(Detection)) return false;
  image.sample = sample;
  image.detections.resize(count);
  for (Detection& detection : image.detections) reader.Get(detection);
  return true;
}

std::optional<std::vector<ImageDetections>> ReadAll(std::span<const std::byte> file) {
  Reader reader(file);
  char magic[sizeof(kMagic)];
  Digest digest;
  uint64_t count = 0;
  if (!reader.Get(magic) || std::memcmp(magic, kMagic, sizeof(magic)) != 0 || !reader.Get(digest)) return std::nullopt;
  if (HashBytes(reader.rest()) != digest || !reader.Get(count) || count > reader.left()) return std::nullopt;
  std::vector<ImageDetections> images(count);
  for (ImageDetections& image : images) {
    if (!ReadImage(reader, image)) return std::nullopt;
  }
  return images;
}

}  // namespace

Digest DigestOf(const SourceKey& key, const Dataset& dataset) {
  std::string text = fmt::format("1\n{}\n{}\n{}\n{}\n", key.source.ToString(), key.tenon, key.input, key.decoding);
  for (const Sample& sample : dataset.samples) {
    struct stat status = {};
    stat(sample.image_path.c_str(), &status);  // a missing file counts as an empty one here; the loader says more
    text +=
        fmt::format("{}\n{} {}.{}\n", sample.image_path, status.st_size, status.st_mtim.tv_sec, status.st_mtim.tv_nsec);
  }
  return HashString(text);
}

std::string SourceCache::PathOf(const Digest& digest) const {
  return (fs::path(folder_) / (digest.ToString() + ".detections")).string();
}

std::optional<std::vector<ImageDetections>> SourceCache::Find(const Digest& digest) const {
  std::error_code ignored;
  if (folder_.empty() || !fs::exists(PathOf(digest), ignored)) return std::nullopt;
  try {
    return ReadAll(MappedFile(PathOf(digest)).bytes());
  } catch (const Error&) {
    return std::nullopt;
  }
}

void SourceCache::Put(const Digest& digest, const std::vector<ImageDetections>& images) const {
  if (folder_.empty()) return;
  Writer body;
  body.Put(static_cast<uint64_t>(images.size()));
  for (const ImageDetections& image : images) {
    body.Put(static_cast<uint64_t>(image.sample));
    body.Put(image.plan);
    body.Put(static_cast<uint64_t>(image.detections.size()));
    for (const Detection& detection : image.detections) body.Put(detection);
  }
  Writer head;
  head.Put(kMagic);
  head.Put(HashBytes(body.bytes()));
  std::error_code ignored;  // the write says why it failed
  fs::create_directories(folder_, ignored);
  const std::span<const std::byte> chunks[] = {head.bytes(), body.bytes()};
  WriteFileAtomically(PathOf(digest), chunks);
}

}  // namespace tenon
