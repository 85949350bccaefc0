/// Tenon's C++ API: load an engine and run it. C++20.
///
///   tenon::Engine engine = tenon::Engine::Load("best.tenon");
///   tenon::Context context = engine.CreateContext();
///   context.Run({image}, {scores});
///
/// Header-only, over the C API (tenon.h): no C++ type crosses the library's border, so program and library may be built
/// with different compilers. Errors are thrown as tenon::Error.
#pragma once
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "tenon/error.hpp"
#include "tenon/tenon.h"
#include "tenon/types.hpp"

namespace tenon {

namespace internal {
inline void Check(tenon_status status) {
  if (status != TENON_OK) throw Error(static_cast<ErrorCode>(status), tenon_last_error());
}

struct Free {
  void operator()(tenon_engine* engine) const { tenon_engine_free(engine); }
  void operator()(tenon_context* context) const { tenon_context_free(context); }
};
using EngineHandle = std::unique_ptr<tenon_engine, Free>;
using ContextHandle = std::unique_ptr<tenon_context, Free>;

/// Some tensors as `get` of a handle describes them.
template <class Handle, class Get>
void ReadTensors(const Handle* handle, Get get, size_t count, std::vector<TensorInfo>& tensors,
                 std::vector<size_t>& sizes) {
  for (size_t i = 0; i < count; ++i) {
    tenon_tensor_info info = TENON_TENSOR_INFO_INIT;
    Check(get(handle, i, &info));
    tensors.push_back({info.name, static_cast<DType>(info.dtype), Shape(info.dims, info.dims + info.rank)});
    sizes.push_back(info.size_bytes);
  }
}

/// An engine's handle and what it says of itself, read once.
struct EngineState {
  explicit EngineState(EngineHandle engine) : handle(std::move(engine)) {
    tenon_engine_info info = TENON_ENGINE_INFO_INIT;
    Check(tenon_engine_get_info(handle.get(), &info));
    std::vector<size_t> sizes;
    ReadTensors(handle.get(), tenon_engine_get_input, info.input_count, inputs, sizes);
    ReadTensors(handle.get(), tenon_engine_get_output, info.output_count, outputs, sizes);
    for (size_t i = 0; i < info.batch_count; ++i)
      Check(tenon_engine_get_batch(handle.get(), i, &batches.emplace_back()));
    for (size_t i = 0; i < info.metadata_count; ++i) {
      const char *key = nullptr, *value = nullptr;
      Check(tenon_engine_get_metadata(handle.get(), i, &key, &value));
      metadata.emplace(key, value);
    }
    precision = info.precision;
    device = info.device;
    weights_bytes = static_cast<int64_t>(info.weights_bytes);
    code_bytes = static_cast<int64_t>(info.code_bytes);
  }

  EngineHandle handle;
  std::vector<TensorInfo> inputs, outputs;
  std::vector<int64_t> batches;
  std::map<std::string, std::string> metadata;
  std::string precision, device;
  int64_t weights_bytes = 0, code_bytes = 0;
};
}  // namespace internal

/// Memory for inputs and outputs, 64-byte aligned: pinned where the engine is on a GPU. Movable; may outlive its engine.
class HostMemory {
 public:
  void* data() const { return data_.get(); }
  size_t size_bytes() const { return size_bytes_; }

 private:
  friend class Engine;
  struct Free {
    void operator()(void* data) const { tenon_host_free(data); }
  };
  HostMemory(void* data, size_t size_bytes) : data_(data), size_bytes_(size_bytes) {}

  std::unique_ptr<void, Free> data_;
  size_t size_bytes_;
};

struct ContextOptions {
  int threads = 0;  ///< that one run uses, the caller's included; 0: all cores
  /// Images of one run: the context gets the engine's smallest batch size that holds so many; 0: its smallest.
  int batch = 0;
};

/// What a run needs of its own: activations and threads. Movable. One run at a time per context; contexts of one engine
/// run side by side and share the weights. Keeps what it needs of its engine.
class Context {
 public:
  /// Runs the engine once. Buffers are the caller's: dense, row-major, of the types and shapes of inputs() and outputs(),
  /// in that order; a CPU reads and writes them in place, whatever their alignment, a GPU those in its own
  /// memory (tenon_context_bind_input).
  /// Throws Error(kInvalidInput) when their number is wrong or one is null.
  void Run(std::span<const void* const> inputs, std::span<void* const> outputs) {
    Bind(inputs, outputs);
    internal::Check(tenon_context_run(handle_.get()));
  }
  void Run(std::initializer_list<const void*> inputs, std::initializer_list<void*> outputs) {
    Run(std::span(inputs.begin(), inputs.size()), std::span(outputs.begin(), outputs.size()));
  }
  /// Puts a run into `stream` (a cudaStream_t or CUstream) and returns; buffers must stay until it is done
  /// (tenon_context_run_async). On a CPU the stream must be null, and the run is done on return.
  void RunAsync(std::span<const void* const> inputs, std::span<void* const> outputs, void* stream) {
    Bind(inputs, outputs);
    internal::Check(tenon_context_run_async(handle_.get(), stream));
  }
  /// Waits for all runs; throws what failed in them.
  void Synchronize() { internal::Check(tenon_context_synchronize(handle_.get())); }
  /// As Run, and gives the time of each step in microseconds.
  void RunTimed(std::span<const void* const> inputs, std::span<void* const> outputs, std::vector<double>& step_us) {
    Bind(inputs, outputs);
    step_us.resize(Info().step_count);
    internal::Check(tenon_context_run_timed(handle_.get(), step_us.data(), step_us.size()));
  }

  /// The tensors of this context's batch size.
  const std::vector<TensorInfo>& inputs() const { return inputs_; }
  const std::vector<TensorInfo>& outputs() const { return outputs_; }
  /// Places of a run; all are computed.
  int batch() const { return Info().batch; }

  /// The C API's handle, this context's own.
  tenon_context* handle() const { return handle_.get(); }

  /// Bytes of activations and scratch memory that this context holds.
  int64_t memory_bytes() const { return static_cast<int64_t>(Info().memory_bytes); }
  int threads() const { return Info().threads; }
  /// Microseconds of the last run on a GPU, without copies to and from it; 0 on a CPU or before a run.
  double device_us() const { return Info().device_us; }
  /// By the last run, between the caller's buffers and the GPU's memory; 0 where all were used in place.
  int64_t copied_bytes() const { return static_cast<int64_t>(Info().copied_bytes); }

 private:
  friend class Engine;
  Context(std::shared_ptr<const internal::EngineState> engine, internal::ContextHandle handle)
      : engine_(std::move(engine)), handle_(std::move(handle)) {
    internal::ReadTensors(handle_.get(), tenon_context_get_input, engine_->inputs.size(), inputs_, input_bytes_);
    internal::ReadTensors(handle_.get(), tenon_context_get_output, engine_->outputs.size(), outputs_, output_bytes_);
  }

  static void CheckCount(const char* what, size_t got, size_t expected) {
    if (got == expected) return;
    throw Error(ErrorCode::kInvalidInput, std::string("wrong number of ") + what + " buffers: got " +
                                              std::to_string(got) + ", expected " + std::to_string(expected));
  }
  void Bind(std::span<const void* const> inputs, std::span<void* const> outputs) {
    CheckCount("input", inputs.size(), inputs_.size());
    CheckCount("output", outputs.size(), outputs_.size());
    for (size_t i = 0; i < inputs.size(); ++i)
      internal::Check(tenon_context_bind_input(handle_.get(), i, inputs[i], input_bytes_[i]));
    for (size_t i = 0; i < outputs.size(); ++i)
      internal::Check(tenon_context_bind_output(handle_.get(), i, outputs[i], output_bytes_[i]));
  }
  tenon_context_info Info() const {
    tenon_context_info info = TENON_CONTEXT_INFO_INIT;
    internal::Check(tenon_context_get_info(handle_.get(), &info));
    return info;
  }

  std::shared_ptr<const internal::EngineState> engine_;
  internal::ContextHandle handle_;
  std::vector<TensorInfo> inputs_, outputs_;
  std::vector<size_t> input_bytes_, output_bytes_;
};

/// A compiled model, ready to run on this machine. Cheap to copy (a handle); safe to use from many threads.
class Engine {
 public:
  /// Maps the file, checks it, and takes the plan for this machine. Throws Error(kInvalidInput) when the file is
  /// damaged, Error(kUnsupportedDevice) when it has no plan for this machine (the message lists those it has).
  static Engine Load(const std::string& path) {
    tenon_engine* engine = nullptr;
    internal::Check(tenon_engine_load(path.c_str(), &engine));
    return Adopt(engine);
  }
  /// As Load, for a device: "cpu", "cuda" or "cuda:1".
  static Engine Load(const std::string& path, const std::string& device) {
    tenon_engine* engine = nullptr;
    internal::Check(tenon_engine_load_on(path.c_str(), device.c_str(), &engine));
    return Adopt(engine);
  }
  /// As Load, from an engine file's bytes, of any alignment. They are copied.
  static Engine Load(std::span<const std::byte> bytes) {
    tenon_engine* engine = nullptr;
    internal::Check(tenon_engine_load_memory(bytes.data(), bytes.size(), &engine));
    return Adopt(engine);
  }
  /// Takes over a handle of the C API, and frees it in the end.
  static Engine Adopt(tenon_engine* engine) {
    return Engine(std::make_shared<const internal::EngineState>(internal::EngineHandle(engine)));
  }

  /// For the smallest batch size.
  const std::vector<TensorInfo>& inputs() const { return state_->inputs; }
  const std::vector<TensorInfo>& outputs() const { return state_->outputs; }
  /// The source model's metadata: names, task, stride, imgsz, ...
  const std::map<std::string, std::string>& metadata() const { return state_->metadata; }
  /// "fp32", "half", "int8"
  const std::string& precision() const { return state_->precision; }
  /// "cpu", "cuda", "reference"
  const std::string& device() const { return state_->device; }
  /// The batch sizes that it was built for, ascending; 1 where there is no input.
  const std::vector<int64_t>& batches() const { return state_->batches; }
  /// Bytes of weights; held once, whatever the number of contexts.
  int64_t weights_bytes() const { return state_->weights_bytes; }
  /// What loading took beside the weights: of a GPU's memory kernels, on a CPU weights that were transformed.
  int64_t code_bytes() const { return state_->code_bytes; }

  HostMemory AllocateHost(size_t size_bytes) const {
    void* data = nullptr;
    internal::Check(tenon_host_alloc(state_->handle.get(), size_bytes, &data));
    return {data, size_bytes};
  }
  Context CreateContext(const ContextOptions& options = {}) const {
    tenon_context_options c_options = TENON_CONTEXT_OPTIONS_INIT;
    c_options.threads = options.threads;
    c_options.batch = options.batch;
    tenon_context* context = nullptr;
    internal::Check(tenon_context_create(state_->handle.get(), &c_options, &context));
    return {state_, internal::ContextHandle(context)};
  }

 private:
  explicit Engine(std::shared_ptr<const internal::EngineState> state) : state_(std::move(state)) {}
  std::shared_ptr<const internal::EngineState> state_;
};

}  // namespace tenon
