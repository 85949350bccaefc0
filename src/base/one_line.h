#pragma once
#include <string>

namespace tenon {

/// A message is one line, whatever names of files and models hold: control characters become '?'.
std::string OneLine(std::string text);

}  // namespace tenon
