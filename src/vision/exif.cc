#include <opencv2/core.hpp>

#include "vision/codecs.h"

namespace tenon::codecs {
namespace {

/// Reads a TIFF block's integers in its own byte order; out-of-range reads give 0, which no caller takes for a tag.
class TiffReader {
 public:
  explicit TiffReader(Bytes bytes) : bytes_(bytes), little_(bytes.size() >= 2 && At(0) == 'I' && At(1) == 'I') {}

  uint32_t U16(size_t offset) const { return Integer(offset, 2); }
  uint32_t U32(size_t offset) const { return Integer(offset, 4); }
  bool Valid() const {
    if (bytes_.size() < 8) return false;
    const bool big = At(0) == 'M' && At(1) == 'M';
    return (little_ || big) && U16(2) == 42;
  }

 private:
  uint8_t At(size_t offset) const { return std::to_integer<uint8_t>(bytes_[offset]); }
  uint32_t Integer(size_t offset, int count) const {
    if (offset > bytes_.size() || bytes_.size() - offset < static_cast<size_t>(count)) return 0;
    uint32_t value = 0;
    for (int i = 0; i < count; ++i) value = value << 8 | At(offset + (little_ ? count - 1 - i : i));
    return value;
  }

  Bytes bytes_;
  bool little_;
};

}  // namespace

int ParseExifOrientation(Bytes tiff) {
  constexpr uint32_t kOrientationTag = 0x0112;
  const TiffReader reader(tiff);
  if (!reader.Valid()) return 1;
  const size_t directory = reader.U32(4);
  const uint32_t entries = reader.U16(directory);
  for (uint32_t i = 0; i < entries; ++i) {
    const size_t entry = directory + 2 + size_t{12} * i;
    if (reader.U16(entry) != kOrientationTag) continue;
    const uint32_t value = reader.U16(entry + 8);
    return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

void ApplyOrientation(Image& image, int orientation) {
  if (orientation <= 1 || orientation > 8) return;
  const bool swap_sides = orientation >= 5;
  // After the transposition (5 to 8), what remains is a flip: none, left-right (0 = about x, 1 = about y, -1 = both).
  struct Flip {
    bool needed;
    int code;
  };
  static constexpr Flip kFlips[9] = {{}, {}, {true, 1}, {true, -1}, {true, 0}, {}, {true, 1}, {true, -1}, {true, 0}};
  cv::Mat source(image.height, image.width, CV_8UC3, image.bgr.data());
  Image upright(swap_sides ? image.width : image.height, swap_sides ? image.height : image.width);
  cv::Mat target(upright.height, upright.width, CV_8UC3, upright.bgr.data());
  if (swap_sides) {
    cv::transpose(source, target);
  } else {
    source.copyTo(target);
  }
  if (kFlips[orientation].needed) cv::flip(target, target, kFlips[orientation].code);
  image = std::move(upright);
}

}  // namespace tenon::codecs
