#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

namespace tenon {

/// 64-byte aligned bytes; huge pages where the system gives them.
class AlignedBuffer {
 public:
  AlignedBuffer() = default;
  /// Zeros. Throws Error when memory is short; `what` is for the message.
  explicit AlignedBuffer(int64_t size_bytes, std::string_view what = "activations");
  std::byte* data() const { return data_.get(); }
  int64_t size_bytes() const { return size_bytes_; }
  int64_t allocated_bytes() const { return allocated_bytes_; }  ///< size_bytes, rounded up to whole pages

 private:
  struct Free {
    void operator()(std::byte* data) const;
  };
  std::unique_ptr<std::byte, Free> data_;
  int64_t size_bytes_ = 0, allocated_bytes_ = 0;
};

}  // namespace tenon
