#include "compile/timing_cache.h"

#include <fmt/format.h>

#include <charconv>
#include <filesystem>
#include <sstream>

#include "base/error.h"
#include "base/file.h"
#include "base/one_line.h"

namespace tenon {
namespace {

constexpr std::string_view kHeader = "tenon timing cache 1";

bool ParseHex(std::string_view text, uint64_t& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  return error == std::errc() && end == text.data() + text.size() && text.size() == 16;
}

[[noreturn]] void ThrowBadLine(const std::string& path, int line, const std::string& text) {
  ThrowInvalid({.what = "can't read the timing cache",
                .where = fmt::format("{}, line {}", path, line),
                .got = fmt::format("\"{}\"", text.substr(0, 60)),
                .expected = "DIGEST TIME_US FAMILY TACTIC",
                .hint = "Delete the file to measure anew."});
}

/// "DIGEST TIME FAMILY TACTIC # DESCRIPTION"
std::pair<Digest, TimingCache::Entry> ParseLine(const std::string& path, int number, const std::string& line) {
  const size_t comment = line.find(" # ");
  std::istringstream words(line.substr(0, comment));
  std::string digest;
  TimingCache::Entry entry;
  Digest key;
  words >> digest >> entry.microseconds >> entry.family;
  if (!words || digest.size() != 32 || !ParseHex(digest.substr(0, 16), key.high) ||
      !ParseHex(digest.substr(16), key.low)) {
    ThrowBadLine(path, number, line);
  }
  std::getline(words >> std::ws, entry.tactic);
  if (comment != std::string::npos) entry.description = line.substr(comment + 3);
  return {key, entry};
}

}  // namespace

TimingCache TimingCache::Load(const std::string& path) {
  if (std::error_code unreadable; !std::filesystem::exists(path, unreadable))
    return {};  // also: a folder that is closed to us
  return Parse(ReadTextFile(path), path);
}

TimingCache TimingCache::Parse(const std::string& text, const std::string& path) {
  TimingCache cache;
  std::istringstream lines(text);
  std::string line;
  std::getline(lines, line);
  if (line != kHeader) ThrowBadLine(path, 1, line);
  for (int number = 2; std::getline(lines, line); ++number) {
    if (line.empty()) continue;
    auto [key, entry] = ParseLine(path, number, line);
    cache.Insert(key, std::move(entry));
  }
  return cache;
}

std::string TimingCache::ToText() const {
  std::string text = fmt::format("{}\n", kHeader);
  for (const auto& [key, entry] : entries_) {
    text += fmt::format("{} {:.1f} {} {} # {}\n", key.ToString(), entry.microseconds, entry.family, entry.tactic,
                        OneLine(entry.description));
  }
  return text;
}

void TimingCache::Save(const std::string& path) const {
  const auto folder = std::filesystem::path(path).parent_path();
  if (!folder.empty()) {
    std::error_code ignored;  // the write below says why it failed
    std::filesystem::create_directories(folder, ignored);
  }
  WriteTextFileAtomically(path, ToText());
}

const TimingCache::Entry* TimingCache::Find(const Digest& key) const {
  const auto found = entries_.find(key);
  return found == entries_.end() ? nullptr : &found->second;
}

}  // namespace tenon
