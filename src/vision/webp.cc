#include <webp/decode.h>

#include <cstring>

#include "vision/codecs.h"

namespace tenon::codecs {
namespace {

/// The EXIF chunk of a RIFF container, walked here because libwebp itself only decodes pixels (libwebpmux would be a
/// library for these ten lines).
Bytes FindExifChunk(Bytes riff) {
  constexpr size_t kRiffHeader = 12, kChunkHeader = 8;
  for (size_t offset = kRiffHeader; offset + kChunkHeader <= riff.size();) {
    size_t size = 0;
    for (int i = 3; i >= 0; --i) size = size << 8 | std::to_integer<size_t>(riff[offset + 4 + i]);
    if (size > riff.size() - offset - kChunkHeader) break;
    if (std::memcmp(riff.data() + offset, "EXIF", 4) == 0) return riff.subspan(offset + kChunkHeader, size);
    offset += kChunkHeader + size + size % 2;
  }
  return {};
}

}  // namespace

Image DecodeWebp(Bytes bytes, const std::string& name) {
  const auto* data = reinterpret_cast<const uint8_t*>(bytes.data());
  WebPBitstreamFeatures features;
  if (WebPGetFeatures(data, bytes.size(), &features) != VP8_STATUS_OK) ThrowCorrupt(name, "WebP", "a damaged header");
  if (features.has_animation) ThrowCorrupt(name, "WebP", "an animation, which is not supported");
  Image image = AllocateImage(features.height, features.width, name);
  if (WebPDecodeBGRInto(data, bytes.size(), image.bgr.data(), image.bgr.size(), image.width * 3) == nullptr) {
    ThrowCorrupt(name, "WebP", "truncated or damaged data");
  }
  ApplyOrientation(image, ParseExifOrientation(FindExifChunk(bytes)));
  return image;
}

}  // namespace tenon::codecs
