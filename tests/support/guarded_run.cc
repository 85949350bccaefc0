#include "support/guarded_run.h"

#include "backends/cpu/cpu_program.h"
#include "backends/cpu/guarded_buffer.h"
#include "backends/step.h"
#include "base/error.h"

namespace tenon::testing_support {
namespace {

using cpu::GuardedBuffer;

constexpr int64_t kMostBytes = int64_t{64} << 20;
constexpr double kMostFlops = 2e8;

/// As the library aligns it; the slack is part of the memory, as it is of the library's.
std::shared_ptr<GuardedBuffer> Aligned(int64_t size, int fill) {
  return std::make_shared<GuardedBuffer>(static_cast<size_t>(size + 63) / 64 * 64, fill);
}

std::shared_ptr<const std::byte> GuardedCopy(std::span<const std::byte> bytes) {
  const auto copy = Aligned(static_cast<int64_t>(bytes.size()), 0xff);
  if (!bytes.empty()) std::memcpy(copy->data(), bytes.data(), bytes.size());
  return {copy, copy->data()};
}

std::shared_ptr<const Program> WithGuardedConstants(const Program& program) {
  auto copy = std::make_shared<Program>(program);
  for (Tensor& constant : copy->constants)
    constant = Tensor(constant.dtype(), constant.shape(), GuardedCopy(constant.bytes()));
  for (Blob& blob : copy->packed) blob.data = GuardedCopy(blob.bytes());
  return copy;
}

/// The callers' buffers: of exactly the tensors' sizes, elements aligned.
template <class Pointer>
int64_t AddBuffers(const std::vector<TensorInfo>& infos, std::vector<std::unique_ptr<GuardedBuffer>>& buffers,
                   std::vector<Pointer>& pointers, int64_t left) {
  for (const TensorInfo& info : infos) {
    const int64_t size = ElemCount(info.shape) * SizeOf(info.dtype);
    if (size > left) return -1;
    left -= size;
    buffers.push_back(std::make_unique<GuardedBuffer>(static_cast<size_t>(size), 0));
    pointers.push_back(buffers.back()->data());
  }
  return left;
}

bool IsCheap(const Program& program) {
  double flops = 0, bytes = 0;
  for (const ProgramStep& step : program.steps) {
    const StepDescription description = DescribeStep(program, step);
    std::vector<TensorType> types[2];
    for (const auto& operand : description.problem.inputs) types[0].push_back({operand.dtype, operand.shape});
    for (const auto& operand : description.problem.outputs) types[1].push_back({operand.dtype, operand.shape});
    const Cost cost = description.op->EstimateCost(types[0], types[1]);
    flops += cost.flops;
    for (const auto& side : types) {
      for (const auto& type : side) bytes += static_cast<double>(ElemCount(*type.shape));
    }
  }
  return flops <= kMostFlops && bytes <= static_cast<double>(kMostBytes);
}

bool RunPlan(const EngineModel& engine, const Program& plan) {
  static const CpuDevice device = CpuDevice::Detect();
  const auto program = std::make_shared<CpuProgram>(WithGuardedConstants(plan), device);
  std::vector<std::unique_ptr<GuardedBuffer>> buffers;
  std::vector<const void*> inputs;
  std::vector<void*> outputs;
  int64_t left = kMostBytes - std::min(plan.arena_bytes, kMostBytes) - static_cast<int64_t>(program->scratch_bytes());
  const EngineProfile& profile = engine.profile(static_cast<size_t>(plan.profile));
  left = AddBuffers(profile.inputs, buffers, inputs, left);
  left = AddBuffers(profile.outputs, buffers, outputs, left);
  if (left <= 0 || !IsCheap(plan)) return false;
  const auto arena = Aligned(plan.arena_bytes, 0xff),
             scratch = Aligned(static_cast<int64_t>(program->scratch_bytes()), 0xff);
  StepArgs args;
  args.Bind(program->program(), arena->data(), inputs, outputs);
  ThreadPool pool(1);
  for (size_t i = 0; i < plan.steps.size(); ++i) {
    KernelArgs of_step = args.Of(i);
    of_step.packed = program->packed(i);
    Launch(program->kernel(i), of_step, pool, scratch->data(), 0);
  }
  return true;
}

}  // namespace

int RunGuarded(const EngineModel& engine) {
  int ran = 0;
  for (const auto& plan : engine.plans) ran += RunPlan(engine, *plan) ? 1 : 0;
  return ran;
}

}  // namespace tenon::testing_support
