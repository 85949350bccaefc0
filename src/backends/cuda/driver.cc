#include "backends/cuda/driver.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/error.h"

namespace tenon::cuda {
namespace {

std::string Mib(size_t bytes) { return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / (1 << 20)); }

constexpr unsigned kNonBlocking = 1;
constexpr int kCaptureThreadLocal = 1;

}  // namespace

std::string VersionText(int version) { return fmt::format("{}.{}", version / 1000, version % 1000 / 10); }

const Driver& Driver::Get() {
  static const Driver driver({"libcuda.so.1", "libcuda.so"});
  return driver;
}

Driver::Driver(const std::vector<std::string>& names) {
  const SharedLibrary library(names);
  if (!library.is_open())
    ThrowUnsupported({.what = "no GPU driver on this machine",
                      .where = library.error(),
                      .hint = "Install NVIDIA's driver (CUDA 12.0 or newer), or use --device cpu"});
  const std::string missing = api_.LoadFrom(library);
  if (api_.driver_version != nullptr) api_.driver_version(&version_);
  if (!missing.empty() || version_ < kOldestVersion)
    ThrowUnsupported({.what = "the GPU driver is too old",
                      .where = missing.empty() ? library.name() : library.name() + " has no " + missing,
                      .got = "CUDA " + VersionText(version_),
                      .expected = "CUDA " + VersionText(kOldestVersion) + " or newer",
                      .hint = "Update NVIDIA's driver, or use --device cpu"});
  const Result result = api_.init(0);
  if (result != kNoDevice) Check(result, "start the GPU driver");
}

void Driver::Check(Result result, std::string_view what) const {
  if (result == kSuccess) return;
  const char *name = nullptr, *text = nullptr;
  api_.error_name(result, &name);
  api_.error_string(result, &text);
  ThrowUnsupported({.what = fmt::format("the GPU failed to {}", what),
                    .got = fmt::format("{} ({})", name == nullptr ? fmt::format("error {}", result) : name,
                                       text == nullptr ? "unknown" : text),
                    .hint = result == kNoBinaryForGpu ? "The kernels were built for another GPU: build the engine here"
                                                      : "See nvidia-smi for the state of the GPU"});
}

std::vector<GpuInfo> Driver::Gpus() const {
  int count = 0;
  const Result counted = api_.device_count(&count);
  if (counted == kNoDevice) return {};
  Check(counted, "count its devices");
  std::vector<GpuInfo> gpus;
  for (int ordinal = 0; ordinal < count; ++ordinal) {
    int device = 0;
    Check(api_.device_get(&device, ordinal), "open a device");
    const auto attribute = [&](DeviceAttribute which) {
      int value = 0;
      Check(api_.device_attribute(&value, which, device), "describe a device");
      return value;
    };
    char name[256] = {};
    size_t bytes = 0;
    Check(api_.device_name(name, sizeof(name) - 1, device), "name a device");
    Check(api_.device_memory(&bytes, device), "size a device's memory");
    using A = DeviceAttribute;
    gpus.push_back({.ordinal = ordinal,
                    .name = name,
                    .capability = attribute(A::kCapabilityMajor) * 10 + attribute(A::kCapabilityMinor),
                    .multiprocessors = attribute(A::kMultiprocessors),
                    .memory_bytes = static_cast<int64_t>(bytes),
                    .shared_bytes_per_block = attribute(A::kSharedBytesPerBlock),
                    .shared_bytes_per_multiprocessor = attribute(A::kSharedBytesPerMultiprocessor),
                    .l2_bytes = attribute(A::kL2CacheBytes),
                    .clock_khz = attribute(A::kClockRateKhz),
                    .memory_clock_khz = attribute(A::kMemoryClockKhz)});
  }
  return gpus;
}

GpuContext::GpuContext(const Driver& driver, int ordinal) : driver_(driver) {
  const std::vector<GpuInfo> gpus = driver.Gpus();
  if (ordinal < 0 || ordinal >= static_cast<int>(gpus.size()))
    ThrowUnsupported(
        {.what = "no such GPU",
         .got = fmt::format("cuda:{}", ordinal),
         .expected = gpus.empty() ? "none: the driver sees no GPU" : fmt::format("cuda:0 to cuda:{}", gpus.size() - 1),
         .hint = "See tenon devices"});
  gpu_ = gpus[static_cast<size_t>(ordinal)];
  driver.Check(driver.api().device_get(&device_, ordinal), "open a device");
  driver.Check(driver.api().primary_context_retain(&context_, device_), "make a context");
  Use();
}

GpuContext::~GpuContext() { driver_.api().primary_context_release(device_); }

void GpuContext::Use() const { driver_.Check(driver_.api().context_set(context_), "switch to a context"); }

CurrentContext::CurrentContext(const GpuContext& context) noexcept : driver_(context.driver()) {
  driver_.api().context_get(&before_);
  driver_.api().context_set(context.handle());
}
CurrentContext::~CurrentContext() { driver_.api().context_set(before_); }

int64_t TakenBytes(std::span<const size_t> sizes) {
  constexpr size_t kBlock = 2 << 20, kShared = 1 << 20;
  const auto blocks = [](size_t bytes) { return (bytes + kBlock - 1) / kBlock; };
  size_t taken = 0, shared = 0;
  for (const size_t size : sizes) {
    if (size <= kShared)
      shared += size;
    else
      taken += blocks(size);
  }
  // Blocks to share are mostly there already: whatever code was loaded has begun some.
  return static_cast<int64_t>(taken * kBlock + shared);
}

DeviceBuffer::DeviceBuffer(const Driver& driver, size_t bytes, std::string_view what)
    : driver_(&driver), bytes_(bytes) {
  const Result result = driver.api().memory_alloc(&address_, bytes == 0 ? 1 : bytes);
  if (result == kOutOfMemory) {
    size_t free = 0, total = 0;
    driver.Check(driver.api().memory_info(&free, &total), "say its free memory");
    ThrowUnsupported({.what = fmt::format("not enough GPU memory for {}", what),
                      .got = fmt::format("{} free of {}", Mib(free), Mib(total)),
                      .expected = Mib(bytes),
                      .hint = "Use a smaller --batch or --imgsz, or end what else uses the GPU"});
  }
  driver.Check(result, "allocate memory");
}

DeviceBuffer::~DeviceBuffer() {
  if (address_ != 0) driver_->api().memory_free(address_);
}

DeviceBuffer::DeviceBuffer(DeviceBuffer&& other) noexcept
    : driver_(other.driver_), address_(std::exchange(other.address_, 0)), bytes_(other.bytes_) {}

void DeviceBuffer::CopyFrom(std::span<const std::byte> bytes) const {
  TENON_CHECK(bytes.size() <= bytes_);
  driver_->Check(driver_->api().copy_to_device(address_, bytes.data(), bytes.size()), "copy to its memory");
}

void DeviceBuffer::CopyTo(std::span<std::byte> bytes) const {
  TENON_CHECK(bytes.size() <= bytes_);
  driver_->Check(driver_->api().copy_to_host(bytes.data(), address_, bytes.size()), "copy from its memory");
}

void DeviceBuffer::Fill(unsigned char value) const {
  driver_->Check(driver_->api().fill_bytes(address_, value, bytes_), "fill its memory");
}

HostBuffer::HostBuffer(const Driver& driver, size_t bytes) : driver_(&driver) {
  void* memory = nullptr;
  driver.Check(driver.api().host_alloc(&memory, std::max<size_t>(1, bytes), 0), fmt::format("pin {} of host memory", Mib(bytes)));
  data_ = static_cast<std::byte*>(memory);
}
HostBuffer::~HostBuffer() {
  if (data_ != nullptr) driver_->api().host_free(data_);
}
HostBuffer::HostBuffer(HostBuffer&& other) noexcept
    : driver_(other.driver_), data_(std::exchange(other.data_, nullptr)) {}

GpuKernel::GpuKernel(const Driver& driver, std::span<const std::byte> cubin, const std::string& entry, int shared_bytes)
    : driver_(&driver) {
  const DriverApi& api = driver.api();
  driver.Check(api.module_load(&module_, cubin.data()), "load a kernel");
  driver.Check(api.module_function(&function_, module_, entry.c_str()), "find a kernel");
  if (shared_bytes > 0)  // beyond 48 KiB, static memory included, it has to be asked for
    driver.Check(api.function_set(function_, FunctionAttribute::kMaxDynamicSharedBytes, shared_bytes),
                 "grant a kernel its shared memory");
}

GpuKernel::~GpuKernel() {
  if (module_ != nullptr) driver_->api().module_unload(module_);
}

GpuKernel::GpuKernel(GpuKernel&& other) noexcept
    : driver_(other.driver_), module_(std::exchange(other.module_, nullptr)), function_(other.function_) {}

int GpuKernel::Attribute(FunctionAttribute attribute) const {
  int value = 0;
  driver_->Check(driver_->api().function_get(&value, attribute, function_), "describe a kernel");
  return value;
}
int GpuKernel::registers() const { return Attribute(FunctionAttribute::kRegisters); }
int GpuKernel::local_bytes() const { return Attribute(FunctionAttribute::kLocalBytes); }

Stream::Stream(const Driver& driver) : driver_(driver) {
  driver.Check(driver.api().stream_create(&stream_, kNonBlocking), "make a stream");
}

Stream::Stream(const Driver& driver, StreamHandle borrowed)
    : driver_(driver), stream_(borrowed), is_borrowed_(true) {}

Stream::~Stream() {
  if (!is_borrowed_) driver_.api().stream_destroy(stream_);
}

void Stream::Synchronize() const { driver_.Check(driver_.api().stream_synchronize(stream_), "finish its work"); }

void Stream::Copy(DevicePtr to, DevicePtr from, size_t bytes) const {
  if (bytes > 0) driver_.Check(driver_.api().copy_async(to, from, bytes, stream_), "copy a tensor");
}
void Stream::CopyFromHost(DevicePtr to, const void* from, size_t bytes) const {
  Copy(to, reinterpret_cast<DevicePtr>(from), bytes);
}
void Stream::CopyToHost(void* to, DevicePtr from, size_t bytes) const {
  Copy(reinterpret_cast<DevicePtr>(to), from, bytes);
}
void Stream::CallHost(void (*function)(void*), void* argument) const {
  driver_.Check(driver_.api().call_host(stream_, function, argument), "call the host");
}

Event::Event(const Driver& driver) : driver_(driver) {
  driver.Check(driver.api().event_create(&event_, 0), "make an event");
}
Event::~Event() { driver_.api().event_destroy(event_); }
void Event::Record(const Stream& stream) const {
  driver_.Check(driver_.api().event_record(event_, stream.handle()), "record an event");
}
void Event::HoldBack(const Stream& stream) const {
  driver_.Check(driver_.api().stream_wait_event(stream.handle(), event_, 0), "wait for an event");
}
void Event::Synchronize() const { driver_.Check(driver_.api().event_synchronize(event_), "finish its work"); }
double Event::MicrosecondsSince(const Event& earlier) const {
  float ms = 0;
  Synchronize();
  driver_.Check(driver_.api().event_elapsed_ms(&ms, earlier.event_, event_), "tell the time");
  return 1e3 * static_cast<double>(ms);
}

void Stream::Launch(const GpuKernel& kernel, LaunchConfig config, LaunchOrder order, void* arguments) const {
  LaunchAttribute early{.id = kProgrammaticStreamSerialization, .value = 1};
  config.stream = stream_;
  if (order == LaunchOrder::kProgrammatic) {
    config.attributes = &early;
    config.attribute_count = 1;
  }
  void* parameters[] = {arguments};
  driver_.Check(driver_.api().launch(&config, kernel.function(), parameters, nullptr), "launch a kernel");
}

void Stream::Follow(std::span<const GraphNode> producers) const {
  constexpr unsigned kSet = 1;  // not add to
  std::vector<NodeHandle> nodes;
  std::vector<GraphEdge> edges;
  for (const GraphNode& producer : producers) {
    nodes.push_back(producer.handle);
    edges.push_back(producer.releases_early ? kProgrammaticEdge : GraphEdge{});
  }
  driver_.Check(driver_.api().stream_follow(stream_, nodes.data(), edges.data(), nodes.size(), kSet),
                "order the steps of a graph");
}

std::vector<NodeHandle> Stream::LastNodes() const {
  int status = 0;
  const NodeHandle* nodes = nullptr;
  const GraphEdge* edges = nullptr;
  size_t count = 0;
  driver_.Check(driver_.api().stream_capture_info(stream_, &status, nullptr, nullptr, &nodes, &edges, &count),
                "describe a graph");
  return {nodes, nodes + count};
}

void Graph::Begin(const Stream& stream) const {
  driver_.Check(driver_.api().stream_begin_capture(stream.handle(), kCaptureThreadLocal), "begin a graph");
}

void Graph::End(const Stream& stream) {
  GraphHandle graph = nullptr;
  driver_.Check(driver_.api().stream_end_capture(stream.handle(), &graph), "record a graph");
  const Result result = driver_.api().graph_instantiate(&exec_, graph, 0);
  driver_.api().graph_destroy(graph);
  driver_.Check(result, "make a graph ready");
}

Graph::~Graph() {
  if (exec_ != nullptr) driver_.api().graph_exec_destroy(exec_);
}

void Graph::Launch(const Stream& stream) const {
  driver_.Check(driver_.api().graph_launch(exec_, stream.handle()), "launch a graph");
}

}  // namespace tenon::cuda
