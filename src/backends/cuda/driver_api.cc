#include "backends/cuda/driver_api.h"

namespace tenon::cuda {

std::string DriverApi::LoadFrom(const SharedLibrary& library) {
  std::string missing;
  const auto load = [&](const char* symbol, auto*& function) {
    if (!library.Load(symbol, function)) missing = symbol;
  };
  load("cuInit", init);
  load("cuDriverGetVersion", driver_version);
  load("cuGetErrorName", error_name);
  load("cuGetErrorString", error_string);
  load("cuDeviceGetCount", device_count);
  load("cuDeviceGet", device_get);
  load("cuDeviceGetName", device_name);
  load("cuDeviceGetAttribute", device_attribute);
  load("cuDeviceTotalMem_v2", device_memory);
  load("cuDevicePrimaryCtxRetain", primary_context_retain);
  load("cuDevicePrimaryCtxRelease_v2", primary_context_release);
  load("cuCtxSetCurrent", context_set);
  load("cuCtxGetCurrent", context_get);
  load("cuCtxSynchronize", context_synchronize);
  load("cuMemGetInfo_v2", memory_info);
  load("cuMemAlloc_v2", memory_alloc);
  load("cuMemFree_v2", memory_free);
  load("cuMemcpyHtoD_v2", copy_to_device);
  load("cuMemcpyDtoH_v2", copy_to_host);
  load("cuMemsetD8_v2", fill_bytes);
  load("cuMemHostAlloc", host_alloc);
  load("cuMemFreeHost", host_free);
  load("cuPointerGetAttributes", pointer_attributes);
  load("cuMemcpyAsync", copy_async);
  load("cuLaunchHostFunc", call_host);
  load("cuModuleLoadData", module_load);
  load("cuModuleUnload", module_unload);
  load("cuModuleGetFunction", module_function);
  load("cuFuncGetAttribute", function_get);
  load("cuFuncSetAttribute", function_set);
  load("cuLaunchKernelEx", launch);
  load("cuStreamCreate", stream_create);
  load("cuStreamDestroy_v2", stream_destroy);
  load("cuStreamSynchronize", stream_synchronize);
  load("cuStreamWaitEvent", stream_wait_event);
  load("cuStreamGetCtx", stream_context);
  load("cuStreamIsCapturing", stream_is_capturing);
  load("cuStreamBeginCapture_v2", stream_begin_capture);
  load("cuStreamEndCapture", stream_end_capture);
  library.Load("cuStreamGetCaptureInfo_v3", stream_capture_info);
  library.Load("cuStreamUpdateCaptureDependencies_v2", stream_follow);
  load("cuGraphInstantiateWithFlags", graph_instantiate);
  load("cuGraphDestroy", graph_destroy);
  load("cuGraphLaunch", graph_launch);
  load("cuGraphExecDestroy", graph_exec_destroy);
  load("cuEventCreate", event_create);
  load("cuEventDestroy_v2", event_destroy);
  load("cuEventRecord", event_record);
  load("cuEventSynchronize", event_synchronize);
  load("cuEventElapsedTime", event_elapsed_ms);
  return missing;
}

}  // namespace tenon::cuda
