#pragma once
#include <string>
#include <vector>

namespace tenon {

struct ImageFiles {
  std::vector<std::string> paths;        ///< in natural order
  std::vector<std::string> unsupported;  ///< images by their suffix, in formats that LoadImage can't read
};

/// The images that a place names: a folder (searched recursively, hidden files left out), an image, a text file with a
/// path per line, or a glob pattern (* ? [...] in the last part and in folders). Paths in a list are relative to the
/// list's folder, or to `root`. Throws Error(kInvalidInput) when the place does not exist.
ImageFiles FindImages(const std::string& place, const std::string& root = {});
ImageFiles FindImages(const std::vector<std::string>& places, const std::string& root = {});

/// Whether a comes before b when runs of digits are compared as numbers; byte order decides what is equal so.
bool NaturalLess(const std::string& a, const std::string& b);

}  // namespace tenon
