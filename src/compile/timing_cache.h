#pragma once
#include <map>
#include <optional>
#include <string>

#include "base/hash.h"

namespace tenon {

/// Which tactic won for a problem on a device. A text file: one line per problem,
///   DIGEST TIME_US FAMILY TACTIC... # what the problem is
/// Problems are keyed by op, operands, device fingerprint, threads and family versions; the same cache gives the same
/// engine.
class TimingCache {
 public:
  struct Entry {
    std::string family, tactic, description;
    double microseconds = 0;
  };

  /// An absent file is an empty cache. Throws Error(kInvalidInput) with the line when the file is no timing cache.
  static TimingCache Load(const std::string& path);
  static TimingCache Parse(const std::string& text, const std::string& path);
  void Save(const std::string& path) const;
  std::string ToText() const;

  const Entry* Find(const Digest& key) const;
  void Insert(const Digest& key, Entry entry) { entries_[key] = std::move(entry); }
  size_t size() const { return entries_.size(); }

 private:
  std::map<Digest, Entry> entries_;
};

}  // namespace tenon
