#pragma once
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "tenon/tenon.hpp"

namespace tenon::internal {

/// One stream of runs on a device; what a Context holds.
class Execution {
 public:
  virtual ~Execution() = default;
  /// `step_us`: where given, gets each step's time in microseconds.
  virtual void Run(std::span<const void* const> inputs, std::span<void* const> outputs,
                   std::vector<double>* step_us) = 0;
  virtual int64_t memory_bytes() const = 0;
  virtual int threads() const = 0;

  size_t input_count = 0, output_count = 0;
};

/// A model made ready for one device; what an Engine holds. Immutable.
class Executable {
 public:
  virtual ~Executable() = default;
  virtual std::unique_ptr<Execution> NewExecution(const ContextOptions& options) const = 0;

  std::vector<TensorInfo> inputs, outputs;
  std::map<std::string, std::string> metadata;
  std::string precision, device;
};

/// Makes the public handle from what the library built itself.
struct EngineAccess {
  static Engine Make(std::shared_ptr<const Executable> executable) { return Engine(std::move(executable)); }
};

}  // namespace tenon::internal
