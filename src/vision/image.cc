#include "vision/image.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>
#include <string_view>

#include "base/error.h"
#include "base/file.h"
#include "vision/codecs.h"

namespace tenon {
namespace codecs {

void CheckImageSize(int64_t height, int64_t width, const std::string& name) {
  const auto side_ok = [](int64_t side) { return side > 0 && side <= kMaxImagePixels; };
  if (!side_ok(height) || !side_ok(width) || height * width > kMaxImagePixels) {
    ThrowInvalid({.what = "can't decode image",
                  .where = name,
                  .got = fmt::format("{} x {} pixels", width, height),
                  .expected = fmt::format("1 to {} pixels", kMaxImagePixels)});
  }
}

Image AllocateImage(int64_t height, int64_t width, const std::string& name) {
  CheckImageSize(height, width, name);
  return Image(static_cast<int>(height), static_cast<int>(width));
}

void ThrowCorrupt(const std::string& name, const std::string& format, const std::string& reason) {
  ThrowInvalid({.what = fmt::format("corrupt {} image", format), .where = name, .got = reason});
}

}  // namespace codecs

namespace {

bool StartsWith(std::span<const std::byte> bytes, std::string_view magic, size_t offset = 0) {
  return bytes.size() >= offset + magic.size() && std::memcmp(bytes.data() + offset, magic.data(), magic.size()) == 0;
}

std::string LowerSuffix(const std::string& path) {
  const size_t dot = path.rfind('.');
  if (dot == std::string::npos || path.find('/', dot) != std::string::npos) return {};
  std::string suffix = path.substr(dot + 1);
  std::transform(suffix.begin(), suffix.end(), suffix.begin(), [](unsigned char c) { return std::tolower(c); });
  return suffix;
}

}  // namespace

Image DecodeImage(std::span<const std::byte> bytes, const std::string& name) {
  if (StartsWith(bytes, "\xff\xd8\xff")) return codecs::DecodeJpeg(bytes, name);
  if (StartsWith(bytes, "\x89PNG\r\n\x1a\n")) return codecs::DecodePng(bytes, name);
  if (StartsWith(bytes, "RIFF") && StartsWith(bytes, "WEBP", 8)) return codecs::DecodeWebp(bytes, name);
  if (StartsWith(bytes, "BM")) return codecs::DecodeBmp(bytes, name);
  ThrowInvalid({.what = "can't decode image",
                .where = name,
                .got = bytes.empty() ? "an empty file" : "no known image signature",
                .expected = "a JPEG, PNG, WebP or BMP file"});
}

Image LoadImage(const std::string& path) { return DecodeImage(MappedFile(path).bytes(), path); }

bool HasImageSuffix(const std::string& path) {
  static constexpr std::array<std::string_view, 6> kSuffixes = {"jpg", "jpeg", "mpo", "png", "webp", "bmp"};
  return std::find(kSuffixes.begin(), kSuffixes.end(), LowerSuffix(path)) != kSuffixes.end();
}

void WriteImage(const Image& image, const std::string& path) {
  LowerSuffix(path) == "png" ? WritePng(image, path) : WriteJpeg(image, path);
}

}  // namespace tenon
