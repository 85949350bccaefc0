// jpeglib.h needs <cstdio> before it, jerror.h needs jpeglib.h.
// clang-format off
#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <jpeglib.h>
#include <jerror.h>
// clang-format on

#include "base/error.h"
#include "base/file.h"
#include "vision/codecs.h"

// libjpeg reports errors by longjmp, which must not skip a destructor. So: every function here that calls setjmp has
// only trivially destructible locals, the libjpeg objects live in a class of their caller, and exceptions are thrown by
// that caller after the jump has landed.
namespace tenon {
namespace codecs {
namespace {

constexpr int kExifMarker = JPEG_APP0 + 1;
constexpr int kMaxScans = 1000;  // a progressive file of a few MB can hold enough empty scans to decode for hours

struct ErrorManager {
  jpeg_error_mgr base;  // first: libjpeg sees a pointer to it
  std::jmp_buf jump;
  char message[JMSG_LENGTH_MAX];
  bool corrupt;
};

void OnError(j_common_ptr info) {
  auto* manager = reinterpret_cast<ErrorManager*>(info->err);
  info->err->format_message(info, manager->message);
  std::longjmp(manager->jump, 1);
}

/// Warnings: decoding goes on, but missing or wrong entropy-coded data is remembered. A missing end marker alone is not
/// damage (many cameras forget it), except in progressive files, where whole scans may be missing with it.
void OnMessage(j_common_ptr info, int level) {
  if (level >= 0) return;
  auto* manager = reinterpret_cast<ErrorManager*>(info->err);
  const int code = info->err->msg_code;
  const bool progressive = reinterpret_cast<j_decompress_ptr>(info)->progressive_mode;
  const bool damage = code == JWRN_HIT_MARKER || code == JWRN_HUFF_BAD_CODE || code == JWRN_ARITH_BAD_CODE ||
                      code == JWRN_MUST_RESYNC || (code == JWRN_JPEG_EOF && progressive);
  if (!damage || manager->corrupt) return;
  manager->corrupt = true;
  info->err->format_message(info, manager->message);
}

void OnProgress(j_common_ptr info) {
  auto* decoder = reinterpret_cast<j_decompress_ptr>(info);
  if (decoder->input_scan_number <= kMaxScans) return;
  auto* manager = reinterpret_cast<ErrorManager*>(info->err);
  std::snprintf(manager->message, sizeof(manager->message), "more than %d scans", kMaxScans);
  std::longjmp(manager->jump, 1);
}

jpeg_error_mgr* InitErrors(ErrorManager& errors) {
  jpeg_error_mgr* base = jpeg_std_error(&errors.base);
  base->error_exit = OnError;
  base->emit_message = OnMessage;
  return base;
}

class JpegDecoder {
 public:
  JpegDecoder() {
    std::memset(&info_, 0, sizeof(info_));
    std::memset(&errors_, 0, sizeof(errors_));
    info_.err = InitErrors(errors_);
  }
  ~JpegDecoder() { jpeg_destroy_decompress(&info_); }
  JpegDecoder(const JpegDecoder&) = delete;
  JpegDecoder& operator=(const JpegDecoder&) = delete;

  bool ReadHeader(const unsigned char* data, size_t size);
  /// @param out height * width * (cmyk() ? 4 : 3) bytes
  bool ReadPixels(uint8_t* out);

  int height() const { return static_cast<int>(info_.image_height); }
  int width() const { return static_cast<int>(info_.image_width); }
  bool cmyk() const { return info_.num_components == 4; }
  /// No whole file of these sizes is smaller: Huffman codes take a bit and more for the mean of every 8 x 8 block.
  int64_t FewestBytes() const;
  const char* message() const { return errors_.message; }
  int Orientation() const;

 private:
  jpeg_decompress_struct info_;
  ErrorManager errors_;
  jpeg_progress_mgr progress_ = {};
};

bool JpegDecoder::ReadHeader(const unsigned char* data, size_t size) {
  if (setjmp(errors_.jump)) return false;
  jpeg_create_decompress(&info_);
  progress_.progress_monitor = OnProgress;
  info_.progress = &progress_;
  jpeg_mem_src(&info_, data, static_cast<unsigned long>(size));
  jpeg_save_markers(&info_, kExifMarker, 0xffff);
  jpeg_read_header(&info_, TRUE);
  return true;
}

bool JpegDecoder::ReadPixels(uint8_t* out) {
  if (setjmp(errors_.jump)) return false;
  info_.out_color_space = cmyk() ? JCS_CMYK : JCS_EXT_BGR;
  jpeg_start_decompress(&info_);
  const size_t row_bytes = size_t{info_.output_width} * static_cast<size_t>(info_.output_components);
  while (info_.output_scanline < info_.output_height) {
    JSAMPROW row = out + info_.output_scanline * row_bytes;
    jpeg_read_scanlines(&info_, &row, 1);
  }
  return !errors_.corrupt;
}

int64_t JpegDecoder::FewestBytes() const {
  if (info_.arith_code) return 0;
  int64_t blocks = 0;
  for (int i = 0; i < info_.num_components; ++i) {
    blocks += int64_t{info_.comp_info[i].width_in_blocks} * info_.comp_info[i].height_in_blocks;
  }
  return blocks / 8;
}

int JpegDecoder::Orientation() const {
  constexpr size_t kPrefix = 6;  // "Exif\0\0"
  for (jpeg_saved_marker_ptr marker = info_.marker_list; marker != nullptr; marker = marker->next) {
    if (marker->marker != kExifMarker || marker->data_length < kPrefix) continue;
    if (std::memcmp(marker->data, "Exif\0", kPrefix) != 0) continue;
    return ParseExifOrientation(std::as_bytes(std::span(marker->data, marker->data_length)).subspan(kPrefix));
  }
  return 1;
}

/// Four-component files hold inverted ink (Adobe's convention, which OpenCV takes for granted too).
void CmykToBgr(const uint8_t* cmyk, Image& image) {
  uint8_t* bgr = image.bgr.data();
  for (size_t i = 0; i < image.bgr.size(); i += 3, cmyk += 4) {
    const int k = cmyk[3];
    for (int c = 0; c < 3; ++c) bgr[i + 2 - c] = static_cast<uint8_t>(k - ((255 - cmyk[c]) * k >> 8));
  }
}

struct JpegEncoder {
  JpegEncoder() {
    std::memset(&info, 0, sizeof(info));
    std::memset(&errors, 0, sizeof(errors));
    info.err = InitErrors(errors);
    info.err->emit_message = [](j_common_ptr, int) {};
  }
  ~JpegEncoder() {
    jpeg_destroy_compress(&info);
    std::free(buffer);
  }
  bool Encode(const uint8_t* bgr, int height, int width, int quality);

  jpeg_compress_struct info;
  ErrorManager errors;
  unsigned char* buffer = nullptr;
  unsigned long size = 0;
};

bool JpegEncoder::Encode(const uint8_t* bgr, int height, int width, int quality) {
  if (setjmp(errors.jump)) return false;
  jpeg_create_compress(&info);
  jpeg_mem_dest(&info, &buffer, &size);
  info.image_height = static_cast<JDIMENSION>(height);
  info.image_width = static_cast<JDIMENSION>(width);
  info.input_components = 3;
  info.in_color_space = JCS_EXT_BGR;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, quality, TRUE);
  jpeg_start_compress(&info, TRUE);
  while (info.next_scanline < info.image_height) {
    JSAMPROW row = const_cast<uint8_t*>(bgr) + size_t{info.next_scanline} * static_cast<size_t>(width) * 3;
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  return true;
}

}  // namespace

Image DecodeJpeg(Bytes bytes, const std::string& name) {
  JpegDecoder decoder;
  if (!decoder.ReadHeader(reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size())) {
    ThrowCorrupt(name, "JPEG", decoder.message());
  }
  CheckImageSize(decoder.height(), decoder.width(), name);
  if (decoder.FewestBytes() > static_cast<int64_t>(bytes.size())) ThrowCorrupt(name, "JPEG", "premature end of file");
  Image image = AllocateImage(decoder.height(), decoder.width(), name);
  std::vector<uint8_t> cmyk(decoder.cmyk() ? image.bgr.size() / 3 * 4 : 0);
  if (!decoder.ReadPixels(decoder.cmyk() ? cmyk.data() : image.bgr.data())) {
    ThrowCorrupt(name, "JPEG", decoder.message());
  }
  if (decoder.cmyk()) CmykToBgr(cmyk.data(), image);
  ApplyOrientation(image, decoder.Orientation());
  return image;
}

}  // namespace codecs

void WriteJpeg(const Image& image, const std::string& path, int quality) {
  codecs::JpegEncoder encoder;
  if (!encoder.Encode(image.bgr.data(), image.height, image.width, quality)) {
    ThrowInvalid({.what = "can't write JPEG", .where = path, .got = encoder.errors.message});
  }
  const std::span<const std::byte> chunk = std::as_bytes(std::span(encoder.buffer, encoder.size));
  WriteFileAtomically(path, std::span(&chunk, 1));
}

}  // namespace tenon
