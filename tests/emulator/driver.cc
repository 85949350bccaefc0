// libcuda.so.1 for machines without a GPU: device memory is the host's, kernels run on fibers (fibers.h), what is
// asynchronous on a GPU is done at once, and the nodes of a graph run in an order drawn at random from those that its
// edges allow, so that an edge that is missing shows. One device of compute
// capability 9.0, or EMULATED_CAPABILITY.
#include <dlfcn.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "backends/cuda/driver_api.h"
#include "fibers.h"

namespace {

using tenon::cuda::DevicePtr;
using tenon::cuda::GraphEdge;
using tenon::cuda::LaunchConfig;
using Result = int;
constexpr Result kSuccess = 0, kInvalidValue = 1, kOutOfMemory = 2, kNotFound = 500, kLaunchFailed = 719;
constexpr size_t kMemoryBytes = size_t{2} << 30;

struct Node {
  std::function<Result()> run;
  std::vector<Node*> after;
};
struct Graph {
  std::vector<std::unique_ptr<Node>> nodes;
};
struct Stream {
  Graph* capture = nullptr;
  std::vector<Node*> last;            ///< what the next node follows
  std::vector<GraphEdge> last_edges;  ///< of those
};
struct Module {
  void* library = nullptr;
  const EmulatedKernel* kernel = nullptr;
};
struct Event {
  std::chrono::steady_clock::time_point at;
};

std::mutex running;  // kernels run one at a time
std::mutex memory_lock;
std::map<DevicePtr, size_t> allocations;

/// As a GPU's driver counts (seen on an H200): whole blocks of 2 MiB, which buffers of up to a MiB share.
size_t TakenBytes() {
  constexpr size_t kBlock = 2 << 20, kShared = 1 << 20;
  size_t shared = 0, blocks = 0;
  for (const auto& [address, bytes] : allocations) {
    if (bytes <= kShared)
      shared += (bytes + 511) / 512 * 512;
    else
      blocks += (bytes + kBlock - 1) / kBlock;
  }
  return (blocks + (shared + kBlock - 1) / kBlock) * kBlock;
}
std::atomic<unsigned> seed = 1;
thread_local void* current_context = nullptr;

/// Done now, or recorded.
Result Do(Stream* stream, std::function<Result()> work) {
  if (stream == nullptr || stream->capture == nullptr) return work();
  auto& nodes = stream->capture->nodes;
  nodes.push_back(std::make_unique<Node>(Node{std::move(work), stream->last}));
  stream->last = {nodes.back().get()};
  stream->last_edges = {GraphEdge{}};
  return kSuccess;
}

Result RunGraph(const Graph& graph) {
  std::mt19937 random(seed++);
  std::vector<Node*> left;
  for (const auto& node : graph.nodes) left.push_back(node.get());
  while (!left.empty()) {
    std::vector<size_t> ready;
    for (size_t i = 0; i < left.size(); ++i) {
      const auto& after = left[i]->after;
      if (std::none_of(after.begin(), after.end(),
                       [&](Node* node) { return std::find(left.begin(), left.end(), node) != left.end(); }))
        ready.push_back(i);
    }
    const size_t chosen = ready[random() % ready.size()];
    if (const Result result = left[chosen]->run(); result != kSuccess) return result;
    left.erase(left.begin() + static_cast<ptrdiff_t>(chosen));
  }
  return kSuccess;
}

Result RunKernel(const EmulatedKernel& kernel, const void* arguments, const LaunchConfig& config) {
  const std::lock_guard lock(running);
  const std::string why =
      RunEmulatedKernel(kernel, arguments, {config.grid_x, config.grid_y, config.grid_z},
                        {config.block_x, config.block_y, config.block_z}, config.shared_bytes, seed++);
  if (why.empty()) return kSuccess;
  fprintf(stderr, "emulated GPU: %s\n", why.c_str());
  return kLaunchFailed;
}

/// A library in memory of its own: two of one kernel must not share theirs.
void* LoadLibrary(const void* image) {
  const auto* header = static_cast<const unsigned char*>(image);
  uint64_t sections_at = 0;
  uint16_t section_bytes = 0, sections = 0;
  memcpy(&sections_at, header + 40, 8);
  memcpy(&section_bytes, header + 58, 2);
  memcpy(&sections, header + 60, 2);
  const size_t bytes = sections_at + size_t{section_bytes} * sections;  // the section headers are last
  char path[] = "/tmp/tenon-emulated-kernel-XXXXXX";
  const int file = mkstemp(path);
  if (file < 0) return nullptr;
  const bool written = write(file, image, bytes) == static_cast<ssize_t>(bytes);
  close(file);
  void* library = written ? dlopen(path, RTLD_NOW | RTLD_LOCAL) : nullptr;
  if (library == nullptr) fprintf(stderr, "emulated GPU: %s\n", dlerror());
  unlink(path);
  return library;
}

template <class T>
T* As(void* handle) {
  return static_cast<T*>(handle);
}

}  // namespace

extern "C" {

Result cuInit(unsigned) { return kSuccess; }
Result cuDriverGetVersion(int* version) { return *version = 13000, kSuccess; }
Result cuGetErrorName(Result result, const char** text) {
  static const std::map<Result, const char*> names = {{kOutOfMemory, "CUDA_ERROR_OUT_OF_MEMORY"},
                                                      {kLaunchFailed, "CUDA_ERROR_LAUNCH_FAILED"},
                                                      {kNotFound, "CUDA_ERROR_NOT_FOUND"}};
  const auto found = names.find(result);
  return *text = found == names.end() ? "CUDA_ERROR_INVALID_VALUE" : found->second, kSuccess;
}
Result cuGetErrorString(Result, const char** text) { return *text = "the emulated GPU failed", kSuccess; }
Result cuDeviceGetCount(int* count) { return *count = 1, kSuccess; }
Result cuDeviceGet(int* device, int ordinal) { return *device = ordinal, ordinal == 0 ? kSuccess : kInvalidValue; }
Result cuDeviceGetName(char* name, int length, int) {
  return snprintf(name, static_cast<size_t>(length), "emulated GPU"), kSuccess;
}
Result cuDeviceTotalMem_v2(size_t* bytes, int) { return *bytes = kMemoryBytes, kSuccess; }
Result cuDeviceGetAttribute(int* value, int attribute, int) {
  const char* wanted = getenv("EMULATED_CAPABILITY");
  const int capability = wanted != nullptr ? atoi(wanted) : 90;
  const std::map<int, int> values = {
      {13, 1000000},         {16, 4},         {36, 1000000},  {38, 1 << 20}, {75, capability / 10},
      {76, capability % 10}, {81, 228 << 10}, {97, 227 << 10}};
  return *value = values.at(attribute), kSuccess;
}
Result cuDevicePrimaryCtxRetain(void** context, int) { return *context = &allocations, kSuccess; }
Result cuDevicePrimaryCtxRelease_v2(int) { return kSuccess; }
Result cuCtxSetCurrent(void* context) { return current_context = context, kSuccess; }
Result cuCtxGetCurrent(void** context) { return *context = current_context, kSuccess; }
Result cuCtxSynchronize() { return kSuccess; }

Result cuMemGetInfo_v2(size_t* free_bytes, size_t* total) {
  const std::lock_guard lock(memory_lock);
  return *free_bytes = kMemoryBytes - TakenBytes(), *total = kMemoryBytes, kSuccess;
}
Result cuMemAlloc_v2(DevicePtr* address, size_t bytes) {
  const std::lock_guard lock(memory_lock);
  if (bytes > kMemoryBytes - TakenBytes()) return kOutOfMemory;
  void* memory = aligned_alloc(256, (bytes + 255) / 256 * 256);
  memset(memory, 0xff, bytes);
  *address = reinterpret_cast<DevicePtr>(memory);
  allocations[*address] = bytes;
  return kSuccess;
}
Result cuMemFree_v2(DevicePtr address) {
  const std::lock_guard lock(memory_lock);
  const auto found = allocations.find(address);
  if (found == allocations.end()) return kInvalidValue;
  allocations.erase(found);
  free(reinterpret_cast<void*>(address));
  return kSuccess;
}
Result cuMemcpyHtoD_v2(DevicePtr to, const void* from, size_t bytes) {
  return memcpy(reinterpret_cast<void*>(to), from, bytes), kSuccess;
}
Result cuMemcpyDtoH_v2(void* to, DevicePtr from, size_t bytes) {
  return memcpy(to, reinterpret_cast<const void*>(from), bytes), kSuccess;
}
Result cuMemsetD8_v2(DevicePtr to, unsigned char value, size_t bytes) {
  return memset(reinterpret_cast<void*>(to), value, bytes), kSuccess;
}
Result cuMemHostAlloc(void** memory, size_t bytes, unsigned) {
  return *memory = aligned_alloc(256, (bytes + 255) / 256 * 256), *memory != nullptr ? kSuccess : kOutOfMemory;
}
Result cuMemFreeHost(void* memory) { return free(memory), kSuccess; }
Result cuMemcpyAsync(DevicePtr to, DevicePtr from, size_t bytes, void* stream) {
  return Do(As<Stream>(stream),
            [=] { return memmove(reinterpret_cast<void*>(to), reinterpret_cast<const void*>(from), bytes), kSuccess; });
}
Result cuLaunchHostFunc(void* stream, void (*function)(void*), void* argument) {
  return Do(As<Stream>(stream), [=] { return function(argument), kSuccess; });
}

/// Memory type and device of an address; zeros for what no allocation holds.
Result cuPointerGetAttributes(unsigned count, const int*, void** values, DevicePtr address) {
  const std::lock_guard lock(memory_lock);
  const auto next = allocations.upper_bound(address);
  const bool is_device = next != allocations.begin() && address < std::prev(next)->first + std::prev(next)->second;
  for (unsigned i = 0; i < count; ++i) *static_cast<unsigned*>(values[i]) = 0;
  if (is_device) *static_cast<unsigned*>(values[0]) = tenon::cuda::kDeviceMemory;
  return kSuccess;
}

Result cuModuleLoadData(void** module, const void* image) {
  auto loaded = std::make_unique<Module>();
  loaded->library = LoadLibrary(image);
  if (loaded->library == nullptr) return kInvalidValue;
  loaded->kernel = static_cast<const EmulatedKernel*>(dlsym(loaded->library, "emulated_kernel"));
  return *module = loaded.release(), kSuccess;
}
Result cuModuleUnload(void* module) {
  dlclose(As<Module>(module)->library);
  return delete As<Module>(module), kSuccess;
}
Result cuModuleGetFunction(void** function, void* module, const char*) {
  *function = const_cast<EmulatedKernel*>(As<Module>(module)->kernel);
  return *function == nullptr ? kNotFound : kSuccess;
}
Result cuFuncGetAttribute(int* value, int, void*) { return *value = 0, kSuccess; }
Result cuFuncSetAttribute(void*, int, int value) { return value <= 227 << 10 ? kSuccess : kInvalidValue; }
Result cuLaunchKernelEx(const LaunchConfig* config, void* function, void** parameters, void**) {
  const auto& kernel = *As<const EmulatedKernel>(function);
  std::vector<unsigned char> arguments(kernel.arguments_bytes);
  memcpy(arguments.data(), parameters[0], arguments.size());
  return Do(reinterpret_cast<Stream*>(config->stream), [&kernel, arguments = std::move(arguments), config = *config] {
    return RunKernel(kernel, arguments.data(), config);
  });
}

Result cuStreamCreate(void** stream, unsigned) { return *stream = new Stream, kSuccess; }
Result cuStreamDestroy_v2(void* stream) { return delete As<Stream>(stream), kSuccess; }
Result cuStreamSynchronize(void*) { return kSuccess; }
Result cuStreamWaitEvent(void*, void*, unsigned) { return kSuccess; }
Result cuStreamGetCtx(void*, void** context) { return *context = &allocations, kSuccess; }
Result cuStreamIsCapturing(void* stream, int* status) {
  return *status = stream != nullptr && As<Stream>(stream)->capture != nullptr, kSuccess;
}
Result cuStreamBeginCapture_v2(void* stream, int) {
  *As<Stream>(stream) = {.capture = new Graph};
  return kSuccess;
}
Result cuStreamEndCapture(void* stream, void** graph) {
  return *graph = std::exchange(*As<Stream>(stream), {}).capture, kSuccess;
}
Result cuStreamGetCaptureInfo_v3(void* stream, int* status, uint64_t*, void**, Node* const** nodes,
                                 const GraphEdge** edges, size_t* count) {
  const Stream& from = *As<Stream>(stream);
  *status = from.capture != nullptr;
  *nodes = from.last.data();
  *edges = from.last_edges.data();
  return *count = from.last.size(), kSuccess;
}
Result cuStreamUpdateCaptureDependencies_v2(void* stream, Node* const* nodes, const GraphEdge* edges, size_t count,
                                            unsigned) {
  As<Stream>(stream)->last.assign(nodes, nodes + count);
  As<Stream>(stream)->last_edges.assign(edges, edges + count);
  return kSuccess;
}
Result cuGraphInstantiateWithFlags(void** exec, void* graph, unsigned long long) {
  return *exec = new Graph(std::move(*As<Graph>(graph))), kSuccess;
}
Result cuGraphDestroy(void* graph) { return delete As<Graph>(graph), kSuccess; }
Result cuGraphExecDestroy(void* exec) { return delete As<Graph>(exec), kSuccess; }
Result cuGraphLaunch(void* exec, void* stream) {
  return Do(As<Stream>(stream), [=] { return RunGraph(*As<Graph>(exec)); });
}

Result cuEventCreate(void** event, unsigned) { return *event = new Event, kSuccess; }
Result cuEventDestroy_v2(void* event) { return delete As<Event>(event), kSuccess; }
Result cuEventRecord(void* event, void*) { return As<Event>(event)->at = std::chrono::steady_clock::now(), kSuccess; }
Result cuEventSynchronize(void*) { return kSuccess; }
Result cuEventElapsedTime(float* ms, void* from, void* to) {
  *ms = std::chrono::duration<float, std::milli>(As<Event>(to)->at - As<Event>(from)->at).count();
  return kSuccess;
}

}  // extern "C"
