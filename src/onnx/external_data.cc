#include <charconv>
#include <filesystem>

#include "onnx/proto.h"
#include "onnx/tensor_proto.h"

namespace tenon {
namespace {

namespace fs = std::filesystem;

struct Entries {
  std::string location;
  uint64_t offset = 0;
  std::optional<uint64_t> length;
};

uint64_t ParseNumber(const std::string& key, const std::string& text) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc() && end == text.data() + text.size()) return number;
  ThrowInvalid({.what = "bad external data " + key, .got = "'" + text + "'", .expected = "a number of bytes"});
}

Entries ReadEntries(const onnx::TensorProto& proto) {
  Entries entries;
  for (const auto& entry : proto.external_data()) {
    if (entry.key() == "location") entries.location = entry.value();
    if (entry.key() == "offset") entries.offset = ParseNumber("offset", entry.value());
    if (entry.key() == "length") entries.length = ParseNumber("length", entry.value());
  }
  return entries;
}

[[noreturn]] void ThrowOutside(const std::string& location) {
  ThrowInvalid(
      {.what = "external data outside the model's folder", .where = location, .hint = "Put the file beside the model"});
}

bool LiesIn(const fs::path& file, const fs::path& folder) {
  const fs::path relative = file.lexically_relative(folder);
  return !relative.empty() && *relative.begin() != ".." && relative != ".";
}

/// Symbolic links are followed first. A download cache keeps links to model and data, which lie together elsewhere:
/// the folder of the model's real file counts as the model's folder, too.
std::string ResolveLocation(const std::string& model_path, const std::string& location) {
  const fs::path relative(location);
  if (relative.empty() || relative.is_absolute() || location.find('\0') != std::string::npos) ThrowOutside(location);
  for (const fs::path& part : relative) {
    if (part == "..") ThrowOutside(location);
  }
  std::error_code error;
  const fs::path folder = fs::weakly_canonical(fs::absolute(model_path).parent_path(), error);
  const fs::path real_folder = fs::weakly_canonical(model_path, error).parent_path();
  const fs::path file = fs::weakly_canonical(folder / relative, error);
  if (error || !(LiesIn(file, folder) || LiesIn(file, real_folder))) ThrowOutside(location);
  return file.string();
}

}  // namespace

const MappedFile& ExternalData::Open(const std::string& location) const {
  if (model_path_.empty()) {
    ThrowInvalid({.what = "external data",
                  .where = location,
                  .got = "a model without a file",
                  .expected = "a model in a folder"});
  }
  const auto found = files_.find(location);
  if (found != files_.end()) return found->second;
  return files_.emplace(location, MappedFile(ResolveLocation(model_path_, location))).first->second;
}

std::span<const std::byte> ExternalData::Find(const onnx::TensorProto& proto) const {
  const Entries entries = ReadEntries(proto);
  const std::span<const std::byte> file = Open(entries.location).bytes();
  if (entries.offset > file.size() || entries.length.value_or(0) > file.size() - entries.offset) {
    ThrowInvalid({.what = "external data beyond the end of the file",
                  .where = entries.location,
                  .got = fmt::format("offset {}, length {}", entries.offset, entries.length.value_or(0)),
                  .expected = fmt::format("at most {} bytes", file.size())});
  }
  return entries.length ? file.subspan(entries.offset, *entries.length) : file.subspan(entries.offset);
}

}  // namespace tenon
