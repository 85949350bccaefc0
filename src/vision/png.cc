#include <png.h>

#include <csetjmp>
#include <cstdio>
#include <cstring>

#include "base/error.h"
#include "base/file.h"
#include "vision/codecs.h"

// libpng reports errors by longjmp: as in jpeg.cc, functions that call setjmp have trivially destructible locals only.
namespace tenon {
namespace codecs {
namespace {

struct PngState {
  char message[256] = {};
  const png_byte* data = nullptr;  // reading
  size_t size = 0, offset = 0;
  std::vector<std::byte>* sink = nullptr;  // writing
};

void OnError(png_structp png, png_const_charp message) {
  auto* state = static_cast<PngState*>(png_get_error_ptr(png));
  std::snprintf(state->message, sizeof(state->message), "%s", message);
  png_longjmp(png, 1);
}

void OnWarning(png_structp, png_const_charp) {}

void OnRead(png_structp png, png_bytep out, size_t size) {
  auto* state = static_cast<PngState*>(png_get_io_ptr(png));
  if (state->size - state->offset < size) png_error(png, "premature end of file");
  std::memcpy(out, state->data + state->offset, size);
  state->offset += size;
}

class PngDecoder {
 public:
  PngDecoder(const png_byte* data, size_t size) {
    state_.data = data;
    state_.size = size;
    png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, &state_, OnError, OnWarning);
    info_ = png_ != nullptr ? png_create_info_struct(png_) : nullptr;
  }
  ~PngDecoder() { png_destroy_read_struct(&png_, &info_, nullptr); }
  PngDecoder(const PngDecoder&) = delete;
  PngDecoder& operator=(const PngDecoder&) = delete;

  bool ReadHeader();
  bool ReadPixels(uint8_t* bgr);

  int64_t height() const { return png_get_image_height(png_, info_); }
  int64_t width() const { return png_get_image_width(png_, info_); }
  /// No whole file of these sizes is smaller: deflate makes at most 1032 bytes of one.
  int64_t FewestBytes() const { return height() * static_cast<int64_t>(png_get_rowbytes(png_, info_)) / 1032; }
  const char* message() const { return state_.message; }
  int Orientation() const;

 private:
  PngState state_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
};

bool PngDecoder::ReadHeader() {
  if (info_ == nullptr) return false;
  if (setjmp(png_jmpbuf(png_))) return false;
  png_set_read_fn(png_, &state_, OnRead);
  png_read_info(png_, info_);
  return true;
}

bool PngDecoder::ReadPixels(uint8_t* bgr) {
  if (setjmp(png_jmpbuf(png_))) return false;
  png_set_strip_16(png_);
  png_set_expand(png_);
  png_set_strip_alpha(png_);
  png_set_gray_to_rgb(png_);
  png_set_bgr(png_);
  const int passes = png_set_interlace_handling(png_);
  png_read_update_info(png_, info_);
  const size_t rows = png_get_image_height(png_, info_), row_bytes = png_get_rowbytes(png_, info_);
  if (row_bytes != size_t{png_get_image_width(png_, info_)} * 3) png_error(png_, "unexpected pixel format");
  for (int pass = 0; pass < passes; ++pass) {
    for (size_t y = 0; y < rows; ++y) png_read_row(png_, bgr + y * row_bytes, nullptr);
  }
  return true;
}

int PngDecoder::Orientation() const {
  png_uint_32 size = 0;
  png_bytep exif = nullptr;
  if (png_get_eXIf_1(png_, info_, &size, &exif) == 0) return 1;
  return ParseExifOrientation(std::as_bytes(std::span(exif, size)));
}

void OnWrite(png_structp png, png_bytep data, size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  auto* sink = static_cast<PngState*>(png_get_io_ptr(png))->sink;
  sink->insert(sink->end(), bytes.begin(), bytes.end());
}

void OnFlush(png_structp) {}

struct PngEncoder {
  explicit PngEncoder(std::vector<std::byte>* sink) {
    state.sink = sink;
    png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &state, OnError, OnWarning);
    info = png != nullptr ? png_create_info_struct(png) : nullptr;
  }
  ~PngEncoder() { png_destroy_write_struct(&png, &info); }
  bool Encode(const uint8_t* bgr, int height, int width);

  PngState state;
  png_structp png = nullptr;
  png_infop info = nullptr;
};

bool PngEncoder::Encode(const uint8_t* bgr, int height, int width) {
  if (info == nullptr) return false;
  if (setjmp(png_jmpbuf(png))) return false;
  png_set_write_fn(png, &state, OnWrite, OnFlush);
  png_set_IHDR(png, info, static_cast<png_uint_32>(width), static_cast<png_uint_32>(height), 8, PNG_COLOR_TYPE_RGB,
               PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_write_info(png, info);
  png_set_bgr(png);
  for (int y = 0; y < height; ++y) png_write_row(png, bgr + size_t{3} * static_cast<size_t>(y) * width);
  png_write_end(png, info);
  return true;
}

}  // namespace

Image DecodePng(Bytes bytes, const std::string& name) {
  PngDecoder decoder(reinterpret_cast<const png_byte*>(bytes.data()), bytes.size());
  if (!decoder.ReadHeader()) ThrowCorrupt(name, "PNG", decoder.message());
  CheckImageSize(decoder.height(), decoder.width(), name);
  if (decoder.FewestBytes() > static_cast<int64_t>(bytes.size())) ThrowCorrupt(name, "PNG", "premature end of file");
  Image image = AllocateImage(decoder.height(), decoder.width(), name);
  if (!decoder.ReadPixels(image.bgr.data())) ThrowCorrupt(name, "PNG", decoder.message());
  ApplyOrientation(image, decoder.Orientation());
  return image;
}

}  // namespace codecs

void WritePng(const Image& image, const std::string& path) {
  std::vector<std::byte> bytes;
  codecs::PngEncoder encoder(&bytes);
  if (!encoder.Encode(image.bgr.data(), image.height, image.width)) {
    ThrowInvalid({.what = "can't write PNG", .where = path, .got = encoder.state.message});
  }
  const std::span<const std::byte> chunk = bytes;
  WriteFileAtomically(path, std::span(&chunk, 1));
}

}  // namespace tenon
