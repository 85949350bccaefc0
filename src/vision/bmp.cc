#include <algorithm>
#include <array>
#include <cstring>

#include "base/error.h"
#include "vision/codecs.h"

namespace tenon::codecs {
namespace {

constexpr size_t kFileHeaderBytes = 14;
constexpr uint32_t kUncompressed = 0, kBitFields = 3;

struct BmpHeader {
  int64_t height = 0, width = 0;
  bool bottom_up = true;
  int bits = 0;  // per pixel
  size_t pixels_offset = 0, palette_offset = 0;
  size_t palette_entries = 0;
  size_t palette_entry_bytes = 4;

  size_t RowBytes() const { return (static_cast<size_t>(width) * bits + 31) / 32 * 4; }
};

uint32_t Integer(Bytes bytes, size_t offset, int count) {
  uint32_t value = 0;
  for (int i = count - 1; i >= 0; --i) value = value << 8 | std::to_integer<uint32_t>(bytes[offset + i]);
  return value;
}

void CheckPixelFormat(Bytes bytes, const BmpHeader& header, uint32_t compression, const std::string& name) {
  constexpr std::array<int, 5> kBits = {1, 4, 8, 24, 32};
  const bool depth_ok = std::find(kBits.begin(), kBits.end(), header.bits) != kBits.end();
  bool layout_ok = compression == kUncompressed;
  if (compression == kBitFields && header.bits == 32 && bytes.size() >= kFileHeaderBytes + 52) {
    layout_ok = Integer(bytes, 54, 4) == 0xff0000 && Integer(bytes, 58, 4) == 0xff00 && Integer(bytes, 62, 4) == 0xff;
  }
  if (depth_ok && layout_ok) return;
  ThrowInvalid({.what = "can't decode BMP image",
                .where = name,
                .got = fmt::format("{} bits per pixel, compression {}", header.bits, compression),
                .expected = "uncompressed pixels of 1, 4, 8, 24 or 32 bits"});
}

BmpHeader ParseHeader(Bytes bytes, const std::string& name) {
  if (bytes.size() < kFileHeaderBytes + 12) ThrowCorrupt(name, "BMP", "a truncated header");
  BmpHeader header;
  header.pixels_offset = Integer(bytes, 10, 4);
  const uint32_t info_bytes = Integer(bytes, 14, 4);
  uint32_t compression = kUncompressed, used_colours = 0;
  if (info_bytes == 12) {  // the OS/2 form: 16-bit sides, 3-byte palette entries
    header.width = Integer(bytes, 18, 2);
    header.height = Integer(bytes, 20, 2);
    header.bits = static_cast<int>(Integer(bytes, 24, 2));
    header.palette_entry_bytes = 3;
  } else {
    if (info_bytes < 40 || bytes.size() < kFileHeaderBytes + 40) ThrowCorrupt(name, "BMP", "a truncated header");
    header.width = static_cast<int32_t>(Integer(bytes, 18, 4));
    header.height = static_cast<int32_t>(Integer(bytes, 22, 4));
    header.bottom_up = header.height > 0;
    header.height = std::abs(header.height);
    header.bits = static_cast<int>(Integer(bytes, 28, 2));
    compression = Integer(bytes, 30, 4);
    used_colours = Integer(bytes, 46, 4);
  }
  CheckPixelFormat(bytes, header, compression, name);
  header.palette_offset = kFileHeaderBytes + size_t{info_bytes};
  if (header.bits <= 8) {
    const size_t all = size_t{1} << header.bits;
    header.palette_entries = used_colours == 0 ? all : std::min<size_t>(used_colours, all);
  }
  return header;
}

using Palette = std::array<std::array<uint8_t, 3>, 256>;

Palette ReadPalette(Bytes bytes, const BmpHeader& header, const std::string& name) {
  Palette palette{};
  const size_t needed = header.palette_offset + header.palette_entries * header.palette_entry_bytes;
  if (needed > bytes.size()) ThrowCorrupt(name, "BMP", "a truncated palette");
  for (size_t i = 0; i < header.palette_entries; ++i) {
    std::memcpy(palette[i].data(), bytes.data() + header.palette_offset + i * header.palette_entry_bytes, 3);
  }
  return palette;
}

void DecodeRow(const uint8_t* source, const BmpHeader& header, const Palette& palette, uint8_t* bgr) {
  const int bits = header.bits;
  for (int64_t x = 0; x < header.width; ++x, bgr += 3) {
    if (bits >= 24) {
      std::memcpy(bgr, source + x * (bits / 8), 3);
      continue;
    }
    const int64_t bit = x * bits;
    const int index = source[bit / 8] >> (8 - bits - bit % 8) & ((1 << bits) - 1);
    std::memcpy(bgr, palette[index].data(), 3);
  }
}

}  // namespace

Image DecodeBmp(Bytes bytes, const std::string& name) {
  const BmpHeader header = ParseHeader(bytes, name);
  CheckImageSize(header.height, header.width, name);
  const Palette palette = ReadPalette(bytes, header, name);
  const size_t row_bytes = header.RowBytes(), pixel_bytes = row_bytes * static_cast<size_t>(header.height);
  if (header.pixels_offset > bytes.size() || bytes.size() - header.pixels_offset < pixel_bytes) {
    ThrowCorrupt(name, "BMP", "premature end of file");
  }
  Image image(static_cast<int>(header.height), static_cast<int>(header.width));
  const auto* pixels = reinterpret_cast<const uint8_t*>(bytes.data()) + header.pixels_offset;
  for (int y = 0; y < image.height; ++y) {
    const int row = header.bottom_up ? image.height - 1 - y : y;
    DecodeRow(pixels + static_cast<size_t>(row) * row_bytes, header, palette, image.Row(y));
  }
  return image;
}

}  // namespace tenon::codecs
