#pragma once
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "backends/cuda/driver_api.h"

namespace tenon::cuda {

/// A GPU as the driver describes it.
struct GpuInfo {
  int ordinal = 0;
  std::string name;
  int capability = 0;  ///< 90 for compute capability 9.0
  int multiprocessors = 0;
  int64_t memory_bytes = 0;
  int shared_bytes_per_block = 0, shared_bytes_per_multiprocessor = 0;
  int l2_bytes = 0;
  int clock_khz = 0, memory_clock_khz = 0;
};

/// The GPU driver, opened at run time. Every call is checked; failures are Errors in the house form.
class Driver {
 public:
  /// Opens libcuda once per process. Throws Error(kUnsupportedDevice) where there is no driver, or one older than
  /// kOldestVersion.
  static const Driver& Get();
  /// The same from a library of the given names. Throws likewise.
  explicit Driver(const std::vector<std::string>& names);

  static constexpr int kOldestVersion = 12000;  ///< CUDA 12.0: cuLaunchKernelEx

  const DriverApi& api() const { return api_; }
  int version() const { return version_; }  ///< 13000 for CUDA 13.0
  /// Whether graphs can say what each kernel waits for (CUDA 12.3).
  bool has_graph_edges() const { return api_.stream_capture_info != nullptr && api_.stream_follow != nullptr; }
  std::vector<GpuInfo> Gpus() const;

  /// Throws Error(kUnsupportedDevice) that names `what` was done unless `result` is success.
  void Check(Result result, std::string_view what) const;

 private:
  DriverApi api_;
  int version_ = 0;
};

/// "12.4" for 12040.
std::string VersionText(int version);

/// The GPU's context, current on the calling thread while this lives. Memory, kernels and streams need one.
class GpuContext {
 public:
  explicit GpuContext(const Driver& driver, int ordinal = 0);
  ~GpuContext();
  GpuContext(const GpuContext&) = delete;
  GpuContext& operator=(const GpuContext&) = delete;

  const Driver& driver() const { return driver_; }
  const GpuInfo& gpu() const { return gpu_; }
  /// Makes it current on the calling thread too.
  void Use() const;
  ContextHandle handle() const { return context_; }

 private:
  const Driver& driver_;
  GpuInfo gpu_;
  int device_ = 0;
  ContextHandle context_ = nullptr;
};

/// Makes a context current on the calling thread while this lives, and then the caller's own again: what a program of the
/// user's does with CUDA beside Tenon goes on as if Tenon weren't there. Throws nothing, so that destructors may use it:
/// what is done under it says what is wrong with the GPU.
class CurrentContext {
 public:
  explicit CurrentContext(const GpuContext& context) noexcept;
  ~CurrentContext();
  CurrentContext(const CurrentContext&) = delete;
  CurrentContext& operator=(const CurrentContext&) = delete;

 private:
  const Driver& driver_;
  ContextHandle before_ = nullptr;
};

/// What several things in one DeviceBuffer are aligned to, as the buffer is.
constexpr size_t RoundUpToAlignment(size_t bytes) { return (bytes + 255) / 256 * 256; }

/// What the driver takes of a GPU's memory for buffers of these sizes: whole blocks of 2 MiB, which buffers of up to a
/// MiB share (seen on an H200, driver for CUDA 13.0).
int64_t TakenBytes(std::span<const size_t> sizes);

/// Device memory. Aligned to 256 bytes.
class DeviceBuffer {
 public:
  /// Throws Error(kUnsupportedDevice) with what is needed and what is free.
  DeviceBuffer(const Driver& driver, size_t bytes, std::string_view what);
  ~DeviceBuffer();
  DeviceBuffer(DeviceBuffer&& other) noexcept;
  DeviceBuffer& operator=(DeviceBuffer&&) = delete;

  DevicePtr address() const { return address_; }
  size_t size_bytes() const { return bytes_; }
  void CopyFrom(std::span<const std::byte> bytes) const;
  void CopyTo(std::span<std::byte> bytes) const;
  void Fill(unsigned char value) const;

 private:
  const Driver* driver_;
  DevicePtr address_ = 0;
  size_t bytes_ = 0;
};

/// Pinned host memory: copies to and from it run beside the host.
class HostBuffer {
 public:
  /// Throws Error(kUnsupportedDevice) when the system doesn't pin so much.
  HostBuffer(const Driver& driver, size_t bytes);
  ~HostBuffer();
  HostBuffer(HostBuffer&& other) noexcept;
  HostBuffer& operator=(HostBuffer&&) = delete;
  std::byte* data() const { return data_; }

 private:
  const Driver* driver_;
  std::byte* data_ = nullptr;
};

/// A loaded cubin and its one kernel.
class GpuKernel {
 public:
  /// `shared_bytes`: dynamic shared memory of its launches. Throws Error(kUnsupportedDevice).
  GpuKernel(const Driver& driver, std::span<const std::byte> cubin, const std::string& entry, int shared_bytes);
  ~GpuKernel();
  GpuKernel(GpuKernel&& other) noexcept;
  GpuKernel& operator=(GpuKernel&&) = delete;

  FunctionHandle function() const { return function_; }
  int registers() const;
  int local_bytes() const;

 private:
  int Attribute(FunctionAttribute attribute) const;
  const Driver* driver_;
  ModuleHandle module_ = nullptr;
  FunctionHandle function_ = nullptr;
};

/// How a launch follows the one before it in its stream.
enum class LaunchOrder {
  kSerial,
  kProgrammatic,  ///< may start early; its kernel waits for the previous one itself (griddepcontrol, sm_90 up)
};

/// A node of a graph, for what follows it.
struct GraphNode {
  NodeHandle handle = nullptr;
  bool releases_early = false;  ///< a kernel whose successors wait for it themselves
  friend bool operator==(const GraphNode&, const GraphNode&) = default;
};

class Stream {
 public:
  explicit Stream(const Driver& driver);
  /// Somebody else's, which must outlive this. Null: CUDA's default stream.
  Stream(const Driver& driver, StreamHandle borrowed);
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  StreamHandle handle() const { return stream_; }
  void Synchronize() const;
  /// Between any two of host and device memory.
  void Copy(DevicePtr to, DevicePtr from, size_t bytes) const;
  void CopyFromHost(DevicePtr to, const void* from, size_t bytes) const;
  void CopyToHost(void* to, DevicePtr from, size_t bytes) const;
  /// Calls `function(argument)` on a thread of the driver's when all before it is done. It must not call the driver.
  void CallHost(void (*function)(void*), void* argument) const;
  /// `arguments`: the kernel's one parameter, a struct passed by value.
  void Launch(const GpuKernel& kernel, LaunchConfig config, LaunchOrder order, void* arguments) const;
  /// While a graph is recorded, with a driver that has_graph_edges: what comes next waits for these alone.
  void Follow(std::span<const GraphNode> producers) const;
  /// Likewise: what comes next waits for these.
  std::vector<NodeHandle> LastNodes() const;

 private:
  const Driver& driver_;
  StreamHandle stream_ = nullptr;
  bool is_borrowed_ = false;
};

/// A moment in a stream.
class Event {
 public:
  explicit Event(const Driver& driver);
  ~Event();
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  EventHandle handle() const { return event_; }
  void Record(const Stream& stream) const;
  /// What `stream` gets from now on starts after this moment, once one was recorded.
  void HoldBack(const Stream& stream) const;
  /// Waits for it on this thread.
  void Synchronize() const;
  /// Waits for both. @return microseconds from the other event to this one
  double MicrosecondsSince(const Event& earlier) const;

 private:
  const Driver& driver_;
  EventHandle event_ = nullptr;
};

/// What `record` launches into the stream, as one graph.
class Graph {
 public:
  template <class Record>
  Graph(const Driver& driver, const Stream& stream, Record record) : driver_(driver) {
    Begin(stream);
    record();
    End(stream);
  }
  ~Graph();
  Graph(const Graph&) = delete;
  Graph& operator=(const Graph&) = delete;

  void Launch(const Stream& stream) const;

 private:
  void Begin(const Stream& stream) const;
  void End(const Stream& stream);
  const Driver& driver_;
  GraphExecHandle exec_ = nullptr;
};

}  // namespace tenon::cuda
