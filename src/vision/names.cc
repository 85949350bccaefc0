#include "vision/names.h"

#include <cctype>
#include <charconv>
#include <map>

#include "base/error.h"

namespace tenon {
namespace {

constexpr int kMaxClasses = 1 << 20;

/// Recursive descent over the few forms of Python literals that occur.
class NamesParser {
 public:
  explicit NamesParser(std::string_view text) : text_(text) {}

  std::vector<std::string> Parse() {
    SkipSpace();
    const char open = Next();
    if (open != '{' && open != '[') Fail("a dict or list");
    const char close = open == '{' ? '}' : ']';
    std::map<int, std::string> names;
    for (SkipSpace(); Peek() != close; SkipSpace()) {
      const int id = open == '{' ? ParseKey() : static_cast<int>(names.size());
      SkipSpace();
      names[id] = ParseString();
      SkipSpace();
      if (Peek() == ',') {
        ++position_;
      } else if (Peek() != close) {
        Fail("a comma or the end");
      }
    }
    std::vector<std::string> result;
    for (auto& [id, name] : names) {
      while (static_cast<int>(result.size()) < id) result.push_back(fmt::format("class_{}", result.size()));
      result.push_back(std::move(name));
    }
    return result;
  }

 private:
  char Peek() const { return position_ < text_.size() ? text_[position_] : '\0'; }
  char Next() { return position_ < text_.size() ? text_[position_++] : '\0'; }
  void SkipSpace() {
    while (std::isspace(static_cast<unsigned char>(Peek()))) ++position_;
  }

  [[noreturn]] void Fail(const std::string& expected) const {
    ThrowInvalid({.what = "can't read class names",
                  .where = fmt::format("character {}", position_),
                  .got = fmt::format("\"{}\"", text_.substr(std::min(position_, text_.size()), 20)),
                  .expected = expected});
  }

  int ParseKey() {
    const char quote = Peek();  // JSON writes its numbers as strings
    const bool quoted = quote == '\'' || quote == '"';
    if (quoted) ++position_;
    int id = -1;
    const char* end = text_.data() + text_.size();
    const auto [stop, error] = std::from_chars(text_.data() + position_, end, id);
    if (error != std::errc() || id < 0 || id >= kMaxClasses) Fail("a class number");
    position_ = static_cast<size_t>(stop - text_.data());
    if (quoted && Next() != quote) Fail("a closing quote");
    SkipSpace();
    if (Next() != ':') Fail("a colon");
    return id;
  }

  std::string ParseString() {
    const char quote = Next();
    if (quote != '\'' && quote != '"') Fail("a quoted name");
    std::string name;
    while (Peek() != quote) {
      if (position_ >= text_.size()) Fail("a closing quote");
      const char c = Next();
      c == '\\' ? AppendEscape(name) : name.push_back(c);
    }
    ++position_;
    return name;
  }

  void AppendEscape(std::string& name) {
    const char kind = Next();
    switch (kind) {
      case 'n':
        name.push_back('\n');
        return;
      case 't':
        name.push_back('\t');
        return;
      case 'r':
        name.push_back('\r');
        return;
      case 'x':
        AppendUtf8(name, ParseHex(2));
        return;
      case 'u':
        AppendUtf8(name, ParseHex(4));
        return;
      case 'U':
        AppendUtf8(name, ParseHex(8));
        return;
      default:
        name.push_back(kind);
        return;
    }
  }

  uint32_t ParseHex(size_t digits) {
    const std::string_view hex = text_.substr(std::min(position_, text_.size()), digits);
    uint32_t value = 0;
    const auto [stop, error] = std::from_chars(hex.data(), hex.data() + hex.size(), value, 16);
    if (error != std::errc() || stop != hex.data() + digits) Fail("hexadecimal digits");
    position_ += digits;
    return value;
  }

  static void AppendUtf8(std::string& out, uint32_t code) {
    if (code < 0x80) {
      out.push_back(static_cast<char>(code));
      return;
    }
    const int tail = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    static constexpr uint8_t kLead[] = {0, 0xc0, 0xe0, 0xf0};
    out.push_back(static_cast<char>(kLead[tail] | (code >> 6 * tail)));
    for (int i = tail - 1; i >= 0; --i) out.push_back(static_cast<char>(0x80 | (code >> 6 * i & 0x3f)));
  }

  std::string_view text_;
  size_t position_ = 0;
};

}  // namespace

std::vector<std::string> ParseNames(std::string_view text) { return NamesParser(text).Parse(); }

}  // namespace tenon
