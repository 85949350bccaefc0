#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace tenon {

/// An 8-bit colour image: interleaved rows of B, G, R (OpenCV's order), no padding between rows.
struct Image {
  int height = 0, width = 0;
  std::vector<uint8_t> bgr;  ///< height * width * 3 bytes

  Image() = default;
  Image(int h, int w) : height(h), width(w), bgr(static_cast<size_t>(h) * w * 3) {}
  uint8_t* Row(int y) { return bgr.data() + static_cast<size_t>(y) * width * 3; }
  const uint8_t* Row(int y) const { return bgr.data() + static_cast<size_t>(y) * width * 3; }
};

/// Larger images are refused from their header, before memory is taken for their pixels.
inline constexpr int64_t kMaxImagePixels = int64_t{1} << 28;

/// Decodes a JPEG, PNG, WebP or BMP file (told by its first bytes) to the pixels that OpenCV's imread gives in its
/// default mode: 8 bits, colour, alpha dropped, 16 bits cut to the high byte, EXIF orientation applied.
/// @param name what error messages call the file
/// Throws Error(kInvalidInput) for other formats, truncated or corrupt data, and images above kMaxImagePixels.
Image DecodeImage(std::span<const std::byte> bytes, const std::string& name);
Image LoadImage(const std::string& path);

/// Whether the name ends in a suffix that LoadImage can read (jpg, jpeg, mpo, png, webp, bmp; any case).
bool HasImageSuffix(const std::string& path);

/// Writes the file whole or not at all. @param quality JPEG quality, 1 to 100. Throws Error(kInvalidInput).
void WriteJpeg(const Image& image, const std::string& path, int quality = 95);
void WritePng(const Image& image, const std::string& path);
/// By the suffix: .png, else JPEG.
void WriteImage(const Image& image, const std::string& path);

}  // namespace tenon
