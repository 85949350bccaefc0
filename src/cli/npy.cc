#include "cli/npy.h"

#include <array>
#include <charconv>
#include <cstring>

#include "base/file.h"

namespace tenon::cli {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";

/// NumPy's names, in the order of DType; bfloat16 has none.
constexpr std::array<std::string_view, kDTypeCount> kDescriptions = {"<f4", "<f2", "",    "<f8", "|i1",
                                                                     "|u1", "<i4", "<i8", "|b1"};

[[noreturn]] void ThrowBad(const std::string& path, const std::string& got, const std::string& expected) {
  ThrowInvalid({.what = "can't read the array", .where = path, .got = got, .expected = expected});
}

/// The text after 'key': in the header's dictionary.
std::string_view Entry(std::string_view header, std::string_view key, const std::string& path) {
  const size_t found = header.find(key);
  const size_t colon = found == std::string_view::npos ? found : header.find(':', found);
  if (colon == std::string_view::npos) ThrowBad(path, "a header without " + std::string(key), "a .npy file");
  header.remove_prefix(colon + 1);
  header.remove_prefix(std::min(header.find_first_not_of(' '), header.size()));
  return header;
}

Shape ParseShape(std::string_view text, const std::string& path) {
  Shape shape;
  const size_t end = text.find(')');
  if (!text.starts_with('(') || end == std::string_view::npos)
    ThrowBad(path, "a header without a shape", "a .npy file");
  text = text.substr(1, end - 1);
  while (!text.empty()) {
    if (text[0] == ' ' || text[0] == ',') {
      text.remove_prefix(1);
      continue;
    }
    int64_t dim = 0;
    const auto [next, error] = std::from_chars(text.data(), text.data() + text.size(), dim);
    if (error != std::errc() || dim < 0) ThrowBad(path, "a bad shape", "a .npy file");
    shape.push_back(dim);
    text.remove_prefix(static_cast<size_t>(next - text.data()));
  }
  return shape;
}

DType ParseDescription(std::string_view text, const std::string& path) {
  for (int i = 0; i < kDTypeCount && !text.empty(); ++i) {
    if (!kDescriptions[i].empty() && text.substr(1).starts_with(kDescriptions[i])) return static_cast<DType>(i);
  }
  ThrowBad(path, std::string(text.substr(0, 8)),
           "float32, float16, float64, int8, uint8, int32, int64 or bool, little-endian");
}

}  // namespace

Tensor ReadNpy(const std::string& path) {
  const MappedFile file(path);
  const std::string_view bytes(reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size());
  if (bytes.size() < 12 || !bytes.starts_with(kMagic)) ThrowBad(path, "another kind of file", "a .npy file");
  const bool long_header = bytes[6] >= 2;
  uint32_t length = 0;
  std::memcpy(&length, bytes.data() + 8, long_header ? 4 : 2);
  const size_t start = long_header ? 12 : 10;
  if (length > bytes.size() - start) ThrowBad(path, "a cut off header", "a whole .npy file");
  const std::string_view header = bytes.substr(start, length);
  if (Entry(header, "'fortran_order'", path).starts_with("True"))
    ThrowBad(path, "Fortran order", "C order: numpy.ascontiguousarray");
  const DType dtype = ParseDescription(Entry(header, "'descr'", path), path);
  const Shape shape = ParseShape(Entry(header, "'shape'", path), path);
  const std::string_view data = bytes.substr(start + length);
  if (ElemCount(shape) > static_cast<int64_t>(data.size()) ||
      ElemCount(shape) * SizeOf(dtype) != static_cast<int64_t>(data.size())) {
    ThrowBad(path, fmt::format("{} bytes of data", data.size()), fmt::format("an array of {}", ToString(shape)));
  }
  Tensor tensor(dtype, shape);
  std::memcpy(tensor.raw(), data.data(), data.size());
  return tensor;
}

void WriteNpy(const Tensor& tensor, const std::string& path) {
  if (tensor.dtype() == DType::kBFloat16) return WriteNpy(tensor.CastTo(DType::kFloat32), path);
  std::string shape;
  for (const int64_t dim : tensor.shape()) shape += fmt::format("{},", dim);
  std::string header = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}), }}",
                                   kDescriptions[static_cast<size_t>(tensor.dtype())], shape);
  header.append(63 - (10 + header.size()) % 64, ' ');
  header += '\n';
  std::string start(kMagic);
  start += {'\x01', '\x00', static_cast<char>(header.size() & 255), static_cast<char>(header.size() >> 8)};
  start += header;
  const std::array<std::span<const std::byte>, 2> chunks = {std::as_bytes(std::span(start.data(), start.size())),
                                                            tensor.bytes()};
  WriteFileAtomically(path, chunks);
}

}  // namespace tenon::cli
