#pragma once
#include <optional>

#include "vision/image.h"

// The decoders behind DecodeImage, one per format; users include vision/image.h.
namespace tenon::codecs {

using Bytes = std::span<const std::byte>;

Image DecodeJpeg(Bytes bytes, const std::string& name);
Image DecodePng(Bytes bytes, const std::string& name);
Image DecodeWebp(Bytes bytes, const std::string& name);
Image DecodeBmp(Bytes bytes, const std::string& name);

/// Throws Error(kInvalidInput) when a side is not positive or there are too many pixels. Decoders call it, and look
/// whether the file can hold so many at all, before they take memory.
void CheckImageSize(int64_t height, int64_t width, const std::string& name);
/// Memory for height x width pixels, after CheckImageSize.
Image AllocateImage(int64_t height, int64_t width, const std::string& name);

[[noreturn]] void ThrowCorrupt(const std::string& name, const std::string& format, const std::string& reason);

/// EXIF orientation (1 to 8) in a TIFF block as EXIF stores it; 1 when there is none or the block is damaged.
int ParseExifOrientation(Bytes tiff);

/// Turns the image upright: orientation as in EXIF tag 0x0112.
void ApplyOrientation(Image& image, int orientation);

}  // namespace tenon::codecs
