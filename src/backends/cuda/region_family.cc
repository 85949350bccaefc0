#include "backends/cuda/region_family.h"

#include <algorithm>
#include <cstring>

#include "backends/cuda/region_source.h"
#include "backends/region/region_pieces.h"
#include "base/error.h"

namespace tenon::cuda {
namespace {

using region::RegionPlan;
using region::RegionUnsupported;

constexpr int64_t kConstantAlignment = 256;

int64_t PaddedBytes(const Tensor& constant) {
  return (constant.size_bytes() + kConstantAlignment - 1) / kConstantAlignment * kConstantAlignment;
}

/// The region's inputs, then its dense constants.
std::vector<KernelOperand> OperandsOf(const StepProblem& problem, const RegionPlan& plan) {
  std::vector<KernelOperand> operands = problem.inputs;
  for (const Tensor& constant : plan.constants)
    operands.push_back({.present = true,
                        .dtype = constant.dtype(),
                        .shape = constant.shape(),
                        .alignment_bytes = kConstantAlignment});
  return operands;
}

std::vector<NestSource> SourcesOf(const StepProblem& problem, const RegionPlan& plan) {
  const std::vector<KernelOperand> operands = OperandsOf(problem, plan);
  std::vector<NestSource> sources;
  for (const region::Nest& nest : plan.nests) {
    sources.push_back(MakeNestSource(nest, operands, problem.outputs));
    if (sources.back().threads > INT32_MAX) throw RegionUnsupported{"over 2^31 elements"};
  }
  return sources;
}

int ParseThreads(const std::string& tactic) {
  for (const int threads : {32, 64, 128, 256}) {
    if (tactic == fmt::format("t{}", threads)) return threads;
  }
  ThrowInvalid({.what = "not a tactic of the CUDA regions", .got = "'" + tactic + "'", .expected = "t32 to t256"});
}

/// One kernel: its first blocks compute the first nest, the next ones the second, and so on.
KernelLaunch MakeLaunch(const std::vector<NestSource>& nests, size_t pointers, int threads) {
  std::string functions, calls;
  int64_t blocks = 0;
  for (size_t i = 0; i < nests.size(); ++i) {
    const int64_t count = (nests[i].threads + threads - 1) / threads;
    functions += fmt::format("DEVICE void Nest{}(const Args& args, uint32 point) {{\n{}}}\n", i, nests[i].text);
    calls += fmt::format(
        "  if (blockIdx.x < {}u) {{\n    const uint32 point = (blockIdx.x - {}u) * {}u + threadIdx.x;\n"
        "    if (point < {}u) region::Nest{}(args, point);\n    return;\n  }}\n",
        blocks + count, blocks, threads, nests[i].threads, i);
    blocks += count;
  }
  KernelLaunch launch{.grid_x = static_cast<unsigned>(std::max<int64_t>(1, blocks)),
                      .threads = static_cast<unsigned>(threads)};
  launch.source.text = fmt::format(
      "#include \"region.cuh\"\nnamespace region {{\nstruct Args {{\n  const char* p[{}];\n}};\n{}}}\n"
      "extern \"C\" __global__ void __launch_bounds__({}) region_kernel(const __grid_constant__ region::Args args) {{\n"
      "  ptx::WaitForProducers();\n  ptx::ReleaseConsumers();\n{}}}\n",
      std::max<size_t>(1, pointers), functions, threads, calls);
  launch.source.entry = "region_kernel";
  return launch;
}

}  // namespace

std::string RegionFamily::Supports(const StepProblem& problem, const CudaDevice&) const {
  try {
    SourcesOf(problem, region::PlanRegion(problem));
    return {};
  } catch (const RegionUnsupported& unsupported) {
    return unsupported.reason;
  }
}

// Small blocks spread few points over all multiprocessors.
std::vector<std::string> RegionFamily::Candidates(const StepProblem& problem, const CudaDevice& device) const {
  int64_t threads = 0;
  for (const NestSource& nest : SourcesOf(problem, region::PlanRegion(problem))) threads += nest.threads;
  const int64_t each = threads / std::max(1, device.limits.multiprocessors);
  if (each >= 512) return {"t256", "t128", "t64"};
  if (each >= 128) return {"t128", "t64", "t256"};
  return {"t64", "t32", "t128"};
}

std::vector<std::byte> RegionFamily::Pack(const StepProblem& problem, const std::string&, const CudaDevice&) const {
  std::vector<std::byte> packed;
  for (const Tensor& constant : region::PlanRegion(problem).constants) {
    const size_t at = packed.size();
    packed.resize(at + static_cast<size_t>(PaddedBytes(constant)));
    std::memcpy(packed.data() + at, constant.raw(), static_cast<size_t>(constant.size_bytes()));
  }
  return packed;
}

size_t RegionFamily::PackedBytes(const StepProblem& problem, const std::string&, const CudaDevice&) const {
  int64_t bytes = 0;
  for (const Tensor& constant : region::PlanRegion(problem).constants) bytes += PaddedBytes(constant);
  return static_cast<size_t>(bytes);
}

std::vector<KernelLaunch> RegionFamily::Lower(const StepProblem& problem, const std::string& tactic,
                                              const CudaDevice&) const {
  const RegionPlan plan = region::PlanRegion(problem);
  std::vector<KernelPointer> pointers;
  for (size_t i = 0; i < problem.inputs.size(); ++i) pointers.push_back(KernelPointer::Input(i));
  int64_t offset = 0;
  for (const Tensor& constant : plan.constants) {
    pointers.push_back(KernelPointer::Packed(offset));
    offset += PaddedBytes(constant);
  }
  for (size_t i = 0; i < problem.outputs.size(); ++i) pointers.push_back(KernelPointer::Output(i));
  KernelLaunch launch = MakeLaunch(SourcesOf(problem, plan), pointers.size(), ParseThreads(tactic));
  launch.pointers = std::move(pointers);
  return {std::move(launch)};
}

}  // namespace tenon::cuda
