#include "cli/arguments.h"

#include <algorithm>
#include <cctype>
#include <cstddef>

namespace tenon::cli {
namespace {

/// The length of a leading `key` of `key=value`; 0 when the argument isn't of that form.
size_t KeyLength(const std::string& argument) {
  const size_t equals = argument.find('=');
  if (equals == std::string::npos || equals == 0 || !std::islower(static_cast<unsigned char>(argument[0]))) return 0;
  const bool is_name =
      std::all_of(argument.begin(), argument.begin() + static_cast<std::ptrdiff_t>(equals),
                  [](unsigned char c) { return std::islower(c) || std::isdigit(c) || c == '_' || c == '-'; });
  return is_name ? equals : 0;
}

/// Python's spelling to ours: True, False, [480, 640].
std::string TranslateValue(std::string value) {
  if (value == "True" || value == "False") {
    value[0] = static_cast<char>(std::tolower(value[0]));
    return value;
  }
  if (value.size() > 2 && (value.front() == '[' || value.front() == '(')) {
    value = value.substr(1, value.size() - 2);
    std::erase(value, ' ');
  }
  return value;
}

}  // namespace

std::vector<std::string> TranslateKeyValues(const std::vector<std::string>& arguments) {
  std::vector<std::string> result;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const size_t length = KeyLength(arguments[i]);
    // The word after `--flag` is that flag's value, also when it looks like key=value (--inputs images=x.npy).
    const bool is_flag_value =
        i > 0 && arguments[i - 1].starts_with("--") && arguments[i - 1].find('=') == std::string::npos;
    if (length == 0 || is_flag_value) {
      result.push_back(arguments[i]);
      continue;
    }
    std::string key = arguments[i].substr(0, length);
    const std::string value = TranslateValue(arguments[i].substr(length + 1));
    std::replace(key.begin(), key.end(), '_', '-');
    if (key == "model" || key == "source")
      result.push_back(value);
    else
      result.push_back("--" + key + "=" + value);
  }
  return result;
}

}  // namespace tenon::cli
