/// Tenon's C++ API: load an engine and run it.
///
///   tenon::Engine engine = tenon::Engine::Load("best.tenon");
///   tenon::Context context = engine.CreateContext();
///   context.Run({image}, {scores});
#pragma once
#include <cstddef>
#include <initializer_list>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "tenon/error.hpp"
#include "tenon/types.hpp"

namespace tenon {

namespace internal {
class Executable;
class Execution;
struct EngineAccess;
}  // namespace internal

struct ContextOptions {
  int threads = 0;  ///< that one run uses, the caller's included; 0: all cores
};

/// What a run needs of its own: activations and threads. Movable. One run at a time per context; contexts of one engine
/// run side by side and share the weights.
class Context {
 public:
  ~Context();
  Context(Context&&) noexcept;
  Context& operator=(Context&&) noexcept;

  /// Runs the engine once. Buffers are the caller's: dense, row-major, of the types and shapes of Engine::inputs() and
  /// outputs(), in that order; they are read and written in place, without a copy, whatever their alignment.
  /// Throws Error(kInvalidInput) when their number is wrong or one is null.
  void Run(std::span<const void* const> inputs, std::span<void* const> outputs);
  void Run(std::initializer_list<const void*> inputs, std::initializer_list<void*> outputs);
  /// As Run, and gives the time of each step in microseconds.
  void RunTimed(std::span<const void* const> inputs, std::span<void* const> outputs, std::vector<double>& step_us);

  /// Bytes of activations and scratch memory that this context holds.
  int64_t memory_bytes() const;
  int threads() const;

 private:
  friend class Engine;
  explicit Context(std::unique_ptr<internal::Execution> execution);
  std::unique_ptr<internal::Execution> execution_;
};

/// A compiled model, ready to run on this machine. Cheap to copy (a handle); safe to use from many threads.
class Engine {
 public:
  /// Maps the file, checks it, and takes the plan for this machine. Throws Error(kInvalidInput) when the file is
  /// damaged, Error(kUnsupportedDevice) when it has no plan for this machine (the message lists those it has).
  static Engine Load(const std::string& path);

  const std::vector<TensorInfo>& inputs() const;
  const std::vector<TensorInfo>& outputs() const;
  /// The source model's metadata: names, task, stride, imgsz, ...
  const std::map<std::string, std::string>& metadata() const;
  /// "fp32", "half", "int8"
  const std::string& precision() const;
  /// "cpu", "reference"
  const std::string& device() const;

  Context CreateContext(const ContextOptions& options = {}) const;

 private:
  friend struct internal::EngineAccess;
  explicit Engine(std::shared_ptr<const internal::Executable> executable);
  std::shared_ptr<const internal::Executable> executable_;
};

}  // namespace tenon
