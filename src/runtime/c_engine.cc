// The engine's half of the C API (tenon.h).
#include <iterator>

#include "engine/engine_file.h"
#include "ir/types.h"
#include "runtime/c_guard.h"
#include "runtime/c_handles.h"
#include "runtime/load.h"

namespace tenon::internal {
namespace {

static_assert(TENON_INVALID_INPUT == static_cast<int>(ErrorCode::kInvalidInput) &&
              TENON_UNSUPPORTED_DEVICE == static_cast<int>(ErrorCode::kUnsupportedDevice) &&
              TENON_INTERNAL == static_cast<int>(ErrorCode::kInternal) &&
              TENON_INTERRUPTED == static_cast<int>(ErrorCode::kInterrupted) &&
              TENON_GATE_FAILED == static_cast<int>(ErrorCode::kGateFailed));
static_assert(TENON_FLOAT32 == static_cast<int>(DType::kFloat32) &&
              TENON_FLOAT16 == static_cast<int>(DType::kFloat16) &&
              TENON_BFLOAT16 == static_cast<int>(DType::kBFloat16) &&
              TENON_FLOAT64 == static_cast<int>(DType::kFloat64) && TENON_INT8 == static_cast<int>(DType::kInt8) &&
              TENON_UINT8 == static_cast<int>(DType::kUInt8) && TENON_INT32 == static_cast<int>(DType::kInt32) &&
              TENON_INT64 == static_cast<int>(DType::kInt64) && TENON_BOOL == static_cast<int>(DType::kBool));

}  // namespace

void CheckIndex(size_t index, size_t count, const char* what) {
  if (index < count) return;
  ThrowInvalid({.what = "an index out of range",
                .where = what,
                .got = std::to_string(index),
                .expected = fmt::format("less than {}", count)});
}

void DescribeTensor(const std::vector<TensorInfo>& tensors, size_t index, const char* what, tenon_tensor_info* info) {
  CheckIndex(index, tensors.size(), what);
  const TensorInfo& tensor = tensors[index];
  WriteInfo(info, {.name = tensor.name.c_str(),
                   .dims = tensor.shape.data(),
                   .rank = static_cast<int32_t>(tensor.shape.size()),
                   .dtype = static_cast<tenon_dtype>(tensor.dtype),
                   .size_bytes = static_cast<size_t>(SizeBytes(tensor))});
}

int64_t SizeBytes(const TensorInfo& tensor) { return ElemCount(tensor.shape) * SizeOf(tensor.dtype); }

tenon_engine* NewHandle(std::vector<std::shared_ptr<const Executable>> executables) {
  return new tenon_engine{std::move(executables)};
}

}  // namespace tenon::internal

using namespace tenon::internal;  // everything below is the C API

tenon_status tenon_engine_load(const char* path, tenon_engine** engine) {
  return Guard([&] {
    Require(engine, "engine") = nullptr;
    const std::string file = &Require(path, "path");
    *engine = NewHandle(tenon::NewExecutablesOn(*tenon::ReadEngine(file), ""));
  });
}

tenon_status tenon_engine_load_on(const char* path, const char* device, tenon_engine** engine) {
  return Guard([&] {
    Require(engine, "engine") = nullptr;
    const std::string file = &Require(path, "path");
    *engine = NewHandle(tenon::NewExecutablesOn(*tenon::ReadEngine(file), device ? device : ""));
  });
}

tenon_status tenon_engine_load_memory(const void* data, size_t size_bytes, tenon_engine** engine) {
  return Guard([&] {
    Require(engine, "engine") = nullptr;
    const auto& bytes = Require(static_cast<const std::byte*>(data), "data");
    const tenon::Blob copy = tenon::Blob::Copy({&bytes, size_bytes});
    *engine = NewHandle(tenon::NewExecutablesOn(*tenon::ReadEngine(copy, "memory"), ""));
  });
}

void tenon_engine_free(tenon_engine* engine) { delete engine; }

tenon_status tenon_engine_get_info(const tenon_engine* engine, tenon_engine_info* info) {
  return Guard([&] {
    const tenon_engine& made = Require(engine, "engine");
    const Executable& executable = made.first();
    WriteInfo(info,
              {.input_count = executable.inputs.size(),
               .output_count = executable.outputs.size(),
               .metadata_count = executable.metadata.size(),
               .step_count = executable.step_count,
               .weights_bytes = static_cast<uint64_t>(executable.weights_bytes),
               .precision = executable.precision.c_str(),
               .device = executable.device.c_str(),
               .batch_count = made.executables.size(),
               .code_bytes = static_cast<uint64_t>(executable.code_bytes)},
              offsetof(tenon_engine_info, batch_count));
  });
}

tenon_status tenon_engine_get_batch(const tenon_engine* engine, size_t index, int64_t* batch) {
  return Guard([&] {
    const auto& executables = Require(engine, "engine").executables;
    CheckIndex(index, executables.size(), "batch sizes");
    Require(batch, "batch") = executables[index]->batch();
  });
}

tenon_status tenon_engine_get_input(const tenon_engine* engine, size_t index, tenon_tensor_info* info) {
  return Guard([&] { DescribeTensor(Require(engine, "engine").first().inputs, index, "input", info); });
}

tenon_status tenon_engine_get_output(const tenon_engine* engine, size_t index, tenon_tensor_info* info) {
  return Guard([&] { DescribeTensor(Require(engine, "engine").first().outputs, index, "output", info); });
}

tenon_status tenon_engine_get_metadata(const tenon_engine* engine, size_t index, const char** key, const char** value) {
  return Guard([&] {
    const auto& metadata = Require(engine, "engine").first().metadata;
    Require(key, "key");
    Require(value, "value");
    CheckIndex(index, metadata.size(), "metadata");
    const auto entry = std::next(metadata.begin(), static_cast<std::ptrdiff_t>(index));
    *key = entry->first.c_str();
    *value = entry->second.c_str();
  });
}

tenon_status tenon_engine_find_metadata(const tenon_engine* engine, const char* key, const char** value) {
  return Guard([&] {
    const auto& metadata = Require(engine, "engine").first().metadata;
    const auto entry = metadata.find(&Require(key, "key"));
    Require(value, "value") = entry == metadata.end() ? nullptr : entry->second.c_str();
  });
}
