#pragma once
#include <string>
#include <vector>

namespace tenon::cuda {

/// A library opened at run time, for as long as the process lives: CUDA's don't stand being closed.
class SharedLibrary {
 public:
  /// Tries the names in order; afterwards is_open() says whether one opened, and error() why the last did not.
  explicit SharedLibrary(const std::vector<std::string>& names);

  bool is_open() const { return handle_ != nullptr; }
  const std::string& name() const { return name_; }
  const std::string& error() const { return error_; }
  /// The address of `symbol`; null where the library has none.
  void* Find(const char* symbol) const;

  /// Sets `function` to `symbol`; false where the library has none.
  template <class Function>
  bool Load(const char* symbol, Function*& function) const {
    function = reinterpret_cast<Function*>(Find(symbol));
    return function != nullptr;
  }

 private:
  void* handle_ = nullptr;
  std::string name_, error_;
};

}  // namespace tenon::cuda
