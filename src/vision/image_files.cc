#include "vision/image_files.h"

#include <glob.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <filesystem>
#include <sstream>
#include <string_view>

#include "base/error.h"
#include "base/file.h"
#include "base/interrupt.h"
#include "vision/image.h"

namespace tenon {
namespace {

namespace fs = std::filesystem;

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

/// The run of digits at `position`, without leading zeros; moves past it.
std::string_view TakeNumber(std::string_view text, size_t& position) {
  while (position < text.size() && text[position] == '0') ++position;
  const size_t start = position;
  while (position < text.size() && IsDigit(text[position])) ++position;
  return text.substr(start, position - start);
}

/// Image formats that other tools read and Tenon does not: named, so that nobody wonders where they went.
bool HasForeignImageSuffix(const std::string& path) {
  static constexpr std::array<std::string_view, 8> kSuffixes = {".tif",  ".tiff", ".dng", ".heic",
                                                                ".heif", ".avif", ".jp2", ".gif"};
  std::string suffix = fs::path(path).extension().string();
  std::transform(suffix.begin(), suffix.end(), suffix.begin(), [](unsigned char c) { return std::tolower(c); });
  return std::find(kSuffixes.begin(), kSuffixes.end(), suffix) != kSuffixes.end();
}

void AddFile(const std::string& path, ImageFiles& out) {
  CheckInterrupt();  // a folder on a network drive takes its time
  if (HasImageSuffix(path)) {
    out.paths.push_back(path);
  } else if (HasForeignImageSuffix(path)) {
    out.unsupported.push_back(path);
  }
}

/// A linked folder that holds the link itself would be walked for ever.
bool LinksToAncestor(const fs::directory_entry& entry) {
  std::error_code error;
  if (!entry.is_symlink(error)) return false;
  const std::string target = fs::canonical(entry.path(), error).string() + "/";
  return error || (fs::canonical(entry.path().parent_path(), error).string() + "/").starts_with(target);
}

void AddFolder(const std::string& folder, ImageFiles& out) {
  const auto options = fs::directory_options::follow_directory_symlink | fs::directory_options::skip_permission_denied;
  std::error_code error;
  fs::recursive_directory_iterator entry(folder, options, error);
  for (const fs::recursive_directory_iterator end; !error && entry != end; entry.increment(error)) {
    std::error_code ignored;
    const bool hidden = entry->path().filename().native().starts_with('.');
    if (entry->is_directory(ignored) && (hidden || LinksToAncestor(*entry))) entry.disable_recursion_pending();
    if (!hidden && entry->is_regular_file(ignored)) AddFile(entry->path().string(), out);
  }
  if (error) ThrowInvalid({.what = "can't read folder", .where = folder, .got = error.message()});
}

/// A relative line of a list means: beside the list, else below the data set's root, else from the working directory.
std::string ResolveListed(const std::string& line, const fs::path& list_folder, const std::string& root) {
  const fs::path path(line);
  if (path.is_absolute()) return line;
  for (const fs::path& base : {list_folder, fs::path(root)}) {
    std::error_code ignored;
    if (!base.empty() && fs::exists(base / path, ignored)) return (base / path).lexically_normal().string();
  }
  return line.starts_with("./") ? (list_folder / path).lexically_normal().string() : line;
}

void AddList(const std::string& list, const std::string& root, ImageFiles& out) {
  std::string text = ReadTextFile(list);
  if (text.starts_with("\xef\xbb\xbf")) text.erase(0, 3);
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const size_t first = line.find_first_not_of(" \t\r");
    if (first == std::string::npos) continue;
    line = line.substr(first, line.find_last_not_of(" \t\r") - first + 1);
    AddFile(ResolveListed(line, fs::path(list).parent_path(), root), out);
  }
}

bool AddGlob(const std::string& pattern, ImageFiles& out) {
  if (pattern.find_first_of("*?[") == std::string::npos) return false;
  glob_t found{};
  const int status = glob(pattern.c_str(), GLOB_TILDE, nullptr, &found);
  for (size_t i = 0; status == 0 && i < found.gl_pathc; ++i) {
    std::error_code ignored;
    const std::string path = found.gl_pathv[i];
    fs::is_directory(path, ignored) ? AddFolder(path, out) : AddFile(path, out);
  }
  globfree(&found);
  return status == 0;
}

void AddPlace(const std::string& place, const std::string& root, ImageFiles& out) {
  std::error_code ignored;
  if (fs::is_directory(place, ignored)) {
    AddFolder(place, out);
  } else if (fs::is_regular_file(place, ignored)) {
    HasImageSuffix(place) || HasForeignImageSuffix(place) ? AddFile(place, out) : AddList(place, root, out);
  } else if (!AddGlob(place, out)) {
    ThrowInvalid(
        {.what = "no such file or folder", .where = place, .expected = "images, a folder, a list or a pattern"});
  }
}

}  // namespace

bool NaturalLess(const std::string& a, const std::string& b) {
  size_t i = 0, j = 0;
  while (i < a.size() && j < b.size()) {
    if (IsDigit(a[i]) && IsDigit(b[j])) {
      const std::string_view x = TakeNumber(a, i), y = TakeNumber(b, j);
      if (x.size() != y.size()) return x.size() < y.size();
      if (x != y) return x < y;
      continue;
    }
    if (a[i] != b[j]) return static_cast<unsigned char>(a[i]) < static_cast<unsigned char>(b[j]);
    ++i;
    ++j;
  }
  if ((a.size() - i) != (b.size() - j)) return a.size() - i < b.size() - j;
  return a < b;
}

ImageFiles FindImages(const std::vector<std::string>& places, const std::string& root) {
  ImageFiles found;
  for (const std::string& place : places) AddPlace(place, root, found);
  std::sort(found.paths.begin(), found.paths.end(), NaturalLess);
  std::sort(found.unsupported.begin(), found.unsupported.end(), NaturalLess);
  return found;
}

ImageFiles FindImages(const std::string& place, const std::string& root) {
  return FindImages(std::vector<std::string>{place}, root);
}

}  // namespace tenon
