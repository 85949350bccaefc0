#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

#include "backends/cuda/shared_library.h"

namespace tenon::cuda {

// The part of CUDA's driver API (cuda.h, 12.0 up) that Tenon calls, under its own types, so that no toolkit is needed
// to build. Layouts and numbers are the driver's ABI, which never changes.

using Result = int;  ///< CUresult
inline constexpr Result kSuccess = 0, kOutOfMemory = 2, kNoDevice = 100, kNoBinaryForGpu = 209;

using DevicePtr = uint64_t;  ///< CUdeviceptr
using ContextHandle = struct ContextTag*;
using ModuleHandle = struct ModuleTag*;
using FunctionHandle = struct FunctionTag*;
using StreamHandle = struct StreamTag*;
using EventHandle = struct EventTag*;
using GraphHandle = struct GraphTag*;
using NodeHandle = struct NodeTag*;
using GraphExecHandle = struct GraphExecTag*;

/// CUdevice_attribute
enum class DeviceAttribute : int {
  kClockRateKhz = 13,
  kMultiprocessors = 16,
  kMemoryClockKhz = 36,
  kL2CacheBytes = 38,
  kCapabilityMajor = 75,
  kCapabilityMinor = 76,
  kSharedBytesPerMultiprocessor = 81,
  kSharedBytesPerBlock = 97,
};

/// CUpointer_attribute
enum class PointerAttribute : int { kMemoryType = 2, kDeviceOrdinal = 9 };
inline constexpr unsigned kDeviceMemory = 2;  ///< CU_MEMORYTYPE_DEVICE

/// CUfunction_attribute
enum class FunctionAttribute : int { kLocalBytes = 3, kRegisters = 4, kMaxDynamicSharedBytes = 8 };

/// CUlaunchAttribute: id 6 lets a kernel start before its stream's previous kernel ends (programmatic launch).
struct LaunchAttribute {
  int id = 0;
  int padding = 0;
  union {
    int value;
    char bytes[64] = {};
  };
};
inline constexpr int kProgrammaticStreamSerialization = 6;
static_assert(sizeof(LaunchAttribute) == 72);

/// CUlaunchConfig
struct LaunchConfig {
  unsigned grid_x = 1, grid_y = 1, grid_z = 1, block_x = 1, block_y = 1, block_z = 1;
  unsigned shared_bytes = 0;
  StreamHandle stream = nullptr;
  LaunchAttribute* attributes = nullptr;
  unsigned attribute_count = 0;
};
static_assert(sizeof(LaunchConfig) == 56);

/// CUgraphEdgeData: by default the later node waits for the end of the earlier one.
struct GraphEdge {
  unsigned char from_port = 0;  ///< 1: from where a kernel lets its successors start
  unsigned char to_port = 0;
  unsigned char type = 0;  ///< 1: the later kernel waits itself
  unsigned char reserved[5] = {};
};
inline constexpr GraphEdge kProgrammaticEdge{.from_port = 1, .type = 1};
static_assert(sizeof(GraphEdge) == 8);

/// libcuda's functions; each returns CUresult.
struct DriverApi {
  Result (*init)(unsigned flags) = nullptr;
  Result (*driver_version)(int* version) = nullptr;
  Result (*error_name)(Result result, const char** text) = nullptr;
  Result (*error_string)(Result result, const char** text) = nullptr;
  Result (*device_count)(int* count) = nullptr;
  Result (*device_get)(int* device, int ordinal) = nullptr;
  Result (*device_name)(char* name, int length, int device) = nullptr;
  Result (*device_attribute)(int* value, DeviceAttribute attribute, int device) = nullptr;
  Result (*device_memory)(size_t* bytes, int device) = nullptr;
  Result (*primary_context_retain)(ContextHandle* context, int device) = nullptr;
  Result (*primary_context_release)(int device) = nullptr;
  Result (*context_set)(ContextHandle context) = nullptr;
  Result (*context_get)(ContextHandle* context) = nullptr;
  Result (*context_synchronize)() = nullptr;
  Result (*memory_info)(size_t* free, size_t* total) = nullptr;
  Result (*memory_alloc)(DevicePtr* address, size_t bytes) = nullptr;
  Result (*memory_free)(DevicePtr address) = nullptr;
  Result (*copy_to_device)(DevicePtr to, const void* from, size_t bytes) = nullptr;
  Result (*copy_to_host)(void* to, DevicePtr from, size_t bytes) = nullptr;
  Result (*fill_bytes)(DevicePtr to, unsigned char value, size_t bytes) = nullptr;
  Result (*host_alloc)(void** memory, size_t bytes, unsigned flags) = nullptr;
  Result (*host_free)(void* memory) = nullptr;
  /// Addresses that the driver doesn't know are no error: their attributes are 0.
  Result (*pointer_attributes)(unsigned count, PointerAttribute* which, void** values, DevicePtr address) = nullptr;
  /// Any direction: addresses of host and device are told apart by the driver.
  Result (*copy_async)(DevicePtr to, DevicePtr from, size_t bytes, StreamHandle stream) = nullptr;
  Result (*call_host)(StreamHandle stream, void (*function)(void*), void* argument) = nullptr;
  Result (*module_load)(ModuleHandle* module, const void* image) = nullptr;
  Result (*module_unload)(ModuleHandle module) = nullptr;
  Result (*module_function)(FunctionHandle* function, ModuleHandle module, const char* name) = nullptr;
  Result (*function_get)(int* value, FunctionAttribute attribute, FunctionHandle function) = nullptr;
  Result (*function_set)(FunctionHandle function, FunctionAttribute attribute, int value) = nullptr;
  Result (*launch)(const LaunchConfig* config, FunctionHandle function, void** arguments, void** extra) = nullptr;
  Result (*stream_create)(StreamHandle* stream, unsigned flags) = nullptr;
  Result (*stream_destroy)(StreamHandle stream) = nullptr;
  Result (*stream_synchronize)(StreamHandle stream) = nullptr;
  Result (*stream_wait_event)(StreamHandle stream, EventHandle event, unsigned flags) = nullptr;
  Result (*stream_context)(StreamHandle stream, ContextHandle* context) = nullptr;
  Result (*stream_is_capturing)(StreamHandle stream, int* status) = nullptr;
  Result (*stream_begin_capture)(StreamHandle stream, int mode) = nullptr;
  Result (*stream_end_capture)(StreamHandle stream, GraphHandle* graph) = nullptr;
  /// Null in drivers before CUDA 12.3, as is the next.
  Result (*stream_capture_info)(StreamHandle stream, int* status, uint64_t* id, GraphHandle* graph,
                                const NodeHandle** nodes, const GraphEdge** edges, size_t* count) = nullptr;
  Result (*stream_follow)(StreamHandle stream, const NodeHandle* nodes, const GraphEdge* edges, size_t count,
                          unsigned flags) = nullptr;
  Result (*graph_instantiate)(GraphExecHandle* exec, GraphHandle graph, unsigned long long flags) = nullptr;
  Result (*graph_destroy)(GraphHandle graph) = nullptr;
  Result (*graph_launch)(GraphExecHandle exec, StreamHandle stream) = nullptr;
  Result (*graph_exec_destroy)(GraphExecHandle exec) = nullptr;
  Result (*event_create)(EventHandle* event, unsigned flags) = nullptr;
  Result (*event_destroy)(EventHandle event) = nullptr;
  Result (*event_record)(EventHandle event, StreamHandle stream) = nullptr;
  Result (*event_synchronize)(EventHandle event) = nullptr;
  Result (*event_elapsed_ms)(float* ms, EventHandle from, EventHandle to) = nullptr;

  /// Fills the table; the name of a function that the library lacks, empty where it has all.
  std::string LoadFrom(const SharedLibrary& library);
};

}  // namespace tenon::cuda
