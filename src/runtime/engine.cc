#include "base/error.h"
#include "engine/engine_file.h"
#include "runtime/executable.h"
#include "runtime/load.h"

namespace tenon {
namespace {

template <class List>
void CheckBuffers(const char* what, const List& buffers, size_t expected) {
  if (buffers.size() != expected) {
    ThrowInvalid({.what = fmt::format("wrong number of {} buffers", what),
                  .got = std::to_string(buffers.size()),
                  .expected = std::to_string(expected)});
  }
  for (const auto* pointer : buffers) {
    if (!pointer) ThrowInvalid("a null pointer among the {} buffers", what);
  }
}

void RunChecked(internal::Execution& execution, std::span<const void* const> inputs, std::span<void* const> outputs,
                std::vector<double>* step_us) {
  CheckBuffers("input", inputs, execution.input_count);
  CheckBuffers("output", outputs, execution.output_count);
  execution.Run(inputs, outputs, step_us);
}

}  // namespace

Context::Context(std::unique_ptr<internal::Execution> execution) : execution_(std::move(execution)) {}
Context::~Context() = default;
Context::Context(Context&&) noexcept = default;
Context& Context::operator=(Context&&) noexcept = default;

void Context::Run(std::span<const void* const> inputs, std::span<void* const> outputs) {
  RunChecked(*execution_, inputs, outputs, nullptr);
}

void Context::Run(std::initializer_list<const void*> inputs, std::initializer_list<void*> outputs) {
  Run(std::span(inputs.begin(), inputs.size()), std::span(outputs.begin(), outputs.size()));
}

void Context::RunTimed(std::span<const void* const> inputs, std::span<void* const> outputs,
                       std::vector<double>& step_us) {
  RunChecked(*execution_, inputs, outputs, &step_us);
}

int64_t Context::memory_bytes() const { return execution_->memory_bytes(); }
int Context::threads() const { return execution_->threads(); }

Engine::Engine(std::shared_ptr<const internal::Executable> executable) : executable_(std::move(executable)) {}

Engine Engine::Load(const std::string& path) { return MakeCpuEngine(ReadEngine(path), CpuDevice::Detect()); }

const std::vector<TensorInfo>& Engine::inputs() const { return executable_->inputs; }
const std::vector<TensorInfo>& Engine::outputs() const { return executable_->outputs; }
const std::map<std::string, std::string>& Engine::metadata() const { return executable_->metadata; }
const std::string& Engine::precision() const { return executable_->precision; }
const std::string& Engine::device() const { return executable_->device; }

Context Engine::CreateContext(const ContextOptions& options) const {
  auto execution = executable_->NewExecution(options);
  execution->input_count = inputs().size();
  execution->output_count = outputs().size();
  return Context(std::move(execution));
}

}  // namespace tenon
