#include <cstdint>

#include "report/svg_plot.h"

namespace tenon {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";

/// Bytes of the UTF-8 sequence at the start of `text` and its code point; 0 bytes where it is none.
struct Sequence {
  size_t bytes = 0;
  uint32_t code = 0;
};
Sequence DecodeUtf8(std::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t first = byte(0);
  if (first < 0x80) return {1, first};
  const size_t bytes = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < bytes) return {};
  uint32_t code = first & (0x7fu >> bytes);
  for (size_t i = 1; i < bytes; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return {};
    code = code << 6 | (byte(i) & 0x3fu);
  }
  const bool overlong = (bytes == 3 && code < 0x800) || (bytes == 4 && code < 0x10000);
  return overlong || code > 0x10ffff ? Sequence{} : Sequence{bytes, code};
}

bool IsXmlCharacter(uint32_t code) {
  if (code < 0x20) return code == '\t' || code == '\n' || code == '\r';
  return !(code >= 0xd800 && code < 0xe000) && code != 0xfffe && code != 0xffff;
}

}  // namespace

std::string EscapeXml(std::string_view text) {
  std::string escaped;
  while (!text.empty()) {
    const Sequence sequence = DecodeUtf8(text);
    const std::string_view raw = text.substr(0, sequence.bytes ? sequence.bytes : 1);
    text.remove_prefix(raw.size());
    if (sequence.bytes == 0 || !IsXmlCharacter(sequence.code)) {
      escaped += kReplacement;
    } else if (raw == "&") {
      escaped += "&amp;";
    } else if (raw == "<") {
      escaped += "&lt;";
    } else if (raw == ">") {
      escaped += "&gt;";
    } else if (raw == "\"") {
      escaped += "&quot;";
    } else if (raw == "'") {
      escaped += "&#39;";
    } else {
      escaped += raw;
    }
  }
  return escaped;
}

}  // namespace tenon
