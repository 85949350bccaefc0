#pragma once
#include <string>

namespace tenon {

/// A message is one line, whatever names of files and models hold: control characters become '?', and
/// what is longer than any sentence (names may have megabytes) loses its middle.
std::string OneLine(std::string text);

}  // namespace tenon
