#pragma once
#include <map>
#include <string>

namespace tenon {

/// Results by what they depend on, as text.
template <class T>
class Memo {
 public:
  /// What is known under the key, else what `measure` finds; that is kept.
  template <class F>
  const T& Get(const std::string& key, const F& measure) {
    auto found = known_.find(key);
    if (found == known_.end()) found = known_.emplace(key, measure()).first;
    return found->second;
  }

 private:
  std::map<std::string, T> known_;
};

}  // namespace tenon
