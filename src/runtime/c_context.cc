// The context's half of the C API (tenon.h).
#include <algorithm>
#include <thread>

#include "runtime/c_guard.h"
#include "runtime/c_handles.h"

namespace tenon::internal {
namespace {

constexpr int kMostThreads = 1024;

int ThreadCount(const tenon_context_options& options) {
  if (options.threads < 0 || options.threads > kMostThreads) {
    ThrowInvalid({.what = "a wrong number of threads",
                  .got = std::to_string(options.threads),
                  .expected = fmt::format("0 to {}", kMostThreads)});
  }
  return options.threads > 0 ? options.threads : static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
}

/// The smallest of the engine's batch sizes that holds so many; the smallest of all for 0.
std::shared_ptr<const Executable> ChooseBatch(const tenon_engine& engine, int32_t batch) {
  std::string sizes;
  for (const auto& executable : engine.executables) {
    if (batch >= 0 && executable->batch() >= batch) return executable;
    sizes += (sizes.empty() ? "" : ", ") + std::to_string(executable->batch());
  }
  ThrowInvalid({.what = "the engine has no plan for such a batch",
                .got = fmt::format("batch {}", batch),
                .expected = engine.executables.size() == 1 ? fmt::format("at most {}", sizes)
                                                           : fmt::format("at most {}, its largest (it has {})",
                                                                         engine.executables.back()->batch(), sizes),
                .hint = "Export the model again with that size among --batch, or run several batches."});
}

/// `buffers`: a context's bound inputs or outputs; `tensors`: what they are for.
template <class Pointer>
void Bind(std::vector<Pointer>& buffers, const std::vector<TensorInfo>& tensors, const char* what, size_t index,
          Pointer data, size_t size_bytes) {
  if (index >= tensors.size()) {
    ThrowInvalid({.what = fmt::format("no such {}", what),
                  .got = fmt::format("index {}", index),
                  .expected = fmt::format("less than {}", tensors.size())});
  }
  const TensorInfo& tensor = tensors[index];
  if (!data) ThrowInvalid({.what = fmt::format("a null buffer for an {}", what), .where = tensor.name});
  const auto expected = static_cast<size_t>(SizeBytes(tensor));
  if (size_bytes != expected) {
    ThrowInvalid({.what = fmt::format("a buffer that doesn't fit an {}", what),
                  .where = tensor.name,
                  .got = fmt::format("{} bytes", size_bytes),
                  .expected = fmt::format("{}", expected)});
  }
  buffers[index] = data;
}

size_t FindTensor(const std::vector<TensorInfo>& tensors, const char* what, const char* name) {
  const std::string wanted = &Require(name, "name");
  std::string names;
  for (size_t i = 0; i < tensors.size(); ++i) {
    if (tensors[i].name == wanted) return i;
    names += (i ? ", " : "") + tensors[i].name;
  }
  ThrowInvalid({.what = fmt::format("no such {}", what), .got = wanted, .expected = names});
}

template <class Pointer>
void CheckBound(const std::vector<Pointer>& buffers, const std::vector<TensorInfo>& tensors, const char* what) {
  for (size_t i = 0; i < buffers.size(); ++i) {
    if (!buffers[i]) ThrowInvalid({.what = fmt::format("no buffer is bound to an {}", what), .where = tensors[i].name});
  }
}

void CheckAllBound(const tenon_context& context) {
  CheckBound(context.inputs, context.executable->inputs, "input");
  CheckBound(context.outputs, context.executable->outputs, "output");
}

void RunBound(tenon_context& context, std::vector<double>* step_us) {
  CheckAllBound(context);
  context.execution->Run(context.inputs, context.outputs, step_us);
}

void RunTimed(tenon_context& context, double* step_us, size_t step_count) {
  const size_t steps = context.executable->step_count;
  if (step_count != steps) {
    ThrowInvalid(
        {.what = "a wrong number of steps", .got = std::to_string(step_count), .expected = std::to_string(steps)});
  }
  std::vector<double> measured;
  RunBound(context, &measured);
  TENON_CHECK(measured.size() == steps, "{} of {} steps were timed", measured.size(), steps);
  std::copy(measured.begin(), measured.end(), step_us);
}

}  // namespace

const Executable& ExecutableOf(const tenon_context& context) { return *context.executable; }

}  // namespace tenon::internal

using namespace tenon::internal;  // everything below is the C API

tenon_status tenon_context_create(const tenon_engine* engine, const tenon_context_options* options,
                                  tenon_context** context) {
  return Guard([&] {
    Require(context, "context") = nullptr;
    const tenon_engine& from = Require(engine, "engine");
    const tenon_context_options chosen = ReadOptions(options);
    const int threads = ThreadCount(chosen);
    const auto executable = ChooseBatch(from, chosen.batch);
    auto made = std::make_unique<tenon_context>();
    made->executable = executable;
    made->execution = executable->NewExecution(threads);
    made->inputs.resize(executable->inputs.size());
    made->outputs.resize(executable->outputs.size());
    *context = made.release();
  });
}

void tenon_context_free(tenon_context* context) { delete context; }

tenon_status tenon_context_get_info(const tenon_context* context, tenon_context_info* info) {
  return Guard([&] {
    const Execution& execution = *Require(context, "context").execution;
    WriteInfo(info,
              {.memory_bytes = static_cast<uint64_t>(execution.memory_bytes()),
               .threads = execution.threads(),
               .batch = static_cast<int32_t>(context->executable->batch()),
               .device_us = execution.device_us().value_or(0),
               .copied_bytes = static_cast<uint64_t>(execution.copied_bytes()),
               .step_count = context->executable->step_count},
              offsetof(tenon_context_info, device_us));
  });
}

tenon_status tenon_context_get_input(const tenon_context* context, size_t index, tenon_tensor_info* info) {
  return Guard([&] { DescribeTensor(Require(context, "context").executable->inputs, index, "input", info); });
}

tenon_status tenon_context_get_output(const tenon_context* context, size_t index, tenon_tensor_info* info) {
  return Guard([&] { DescribeTensor(Require(context, "context").executable->outputs, index, "output", info); });
}

tenon_status tenon_context_bind_input(tenon_context* context, size_t index, const void* data, size_t size_bytes) {
  return Guard([&] {
    tenon_context& bound = Require(context, "context");
    Bind(bound.inputs, bound.executable->inputs, "input", index, data, size_bytes);
  });
}

tenon_status tenon_context_bind_output(tenon_context* context, size_t index, void* data, size_t size_bytes) {
  return Guard([&] {
    tenon_context& bound = Require(context, "context");
    Bind(bound.outputs, bound.executable->outputs, "output", index, data, size_bytes);
  });
}

tenon_status tenon_context_bind_input_by_name(tenon_context* context, const char* name, const void* data,
                                              size_t size_bytes) {
  return Guard([&] {
    tenon_context& bound = Require(context, "context");
    const auto& tensors = bound.executable->inputs;
    Bind(bound.inputs, tensors, "input", FindTensor(tensors, "input", name), data, size_bytes);
  });
}

tenon_status tenon_context_bind_output_by_name(tenon_context* context, const char* name, void* data,
                                               size_t size_bytes) {
  return Guard([&] {
    tenon_context& bound = Require(context, "context");
    const auto& tensors = bound.executable->outputs;
    Bind(bound.outputs, tensors, "output", FindTensor(tensors, "output", name), data, size_bytes);
  });
}

tenon_status tenon_context_run(tenon_context* context) {
  return Guard([&] { RunBound(Require(context, "context"), nullptr); });
}

tenon_status tenon_context_run_async(tenon_context* context, void* stream) {
  return Guard([&] {
    CheckAllBound(Require(context, "context"));
    context->execution->RunAsync(context->inputs, context->outputs, stream);
  });
}

tenon_status tenon_context_synchronize(tenon_context* context) {
  return Guard([&] { Require(context, "context").execution->Synchronize(); });
}

tenon_status tenon_context_run_timed(tenon_context* context, double* step_us, size_t step_count) {
  return Guard([&] { RunTimed(Require(context, "context"), &Require(step_us, "step_us"), step_count); });
}
