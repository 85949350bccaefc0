#include "backends/cpu/region_family.h"

#include <algorithm>

#include "backends/cpu/cpu_device.h"
#include "backends/cpu/region_jit.h"
#include "backends/region/region_pieces.h"
#include "backends/cpu/region_runner.h"

namespace tenon {
namespace {

using namespace cpu;

/// One work item takes about this long: many enough to balance, few enough to hand out.
constexpr double kItemNs = 50'000;

NestRunner MakeRunner(const Nest& nest, const CpuDevice& device) {
  const bool is_generated = GeneratorObstacle(nest.program).empty();
  const BodyKind kind = is_generated ? BodyKind::kGenerated : BodyKind::kInterpreted;
  NestLayout layout = MakeNestLayout(nest, kind);
  std::vector<bool> is_broadcast;
  for (const RoutedAccess& load : layout.loads) is_broadcast.push_back(load.route == Route::kBroadcast);
  auto body = is_generated ? MakeGeneratedBody(nest.program, is_broadcast, BestIsa(device.features))
                           : MakeInterpretedBody(nest.program);
  return {std::move(layout), std::move(body), kind, TileTransposeFor(device.features)};
}

class RegionKernel final : public Kernel {
 public:
  RegionKernel(const StepProblem& problem, const CpuDevice& device) : input_count_(problem.inputs.size()) {
    RegionPlan plan = region::PlanRegion(problem);
    constants_ = std::move(plan.constants);
    for (const Nest& nest : plan.nests) {
      Part part{.runner = MakeRunner(nest, device)};
      const double item_blocks = std::max(1.0, kItemNs / part.runner.block_cost_ns());
      part.blocks_per_item = std::min(static_cast<int64_t>(item_blocks), std::max<int64_t>(1, part.runner.blocks()));
      part.first_item = items_;
      items_ += (part.runner.blocks() + part.blocks_per_item - 1) / part.blocks_per_item;
      scratch_bytes_ = std::max(scratch_bytes_, part.runner.scratch_bytes());
      parts_.push_back(std::move(part));
    }
    operand_bytes_ = (input_count_ + constants_.size()) * sizeof(std::byte*);
    operand_bytes_ = (operand_bytes_ + 63) / 64 * 64;
  }

  int64_t work_items() const override { return items_; }
  size_t scratch_bytes() const override { return operand_bytes_ + scratch_bytes_; }

  void Run(const KernelArgs& args, int64_t item, std::byte* scratch) const override {
    auto** operands = reinterpret_cast<const std::byte**>(scratch);
    std::copy_n(args.inputs, input_count_, operands);
    for (size_t i = 0; i < constants_.size(); ++i) operands[input_count_ + i] = constants_[i].raw();
    auto part =
        std::upper_bound(parts_.begin(), parts_.end(), item, [](int64_t i, const Part& p) { return i < p.first_item; });
    --part;
    const int64_t begin = (item - part->first_item) * part->blocks_per_item;
    const int64_t end = std::min(begin + part->blocks_per_item, part->runner.blocks());
    part->runner.Run({operands, input_count_ + constants_.size()}, args.outputs, begin, end, scratch + operand_bytes_);
  }

 private:
  struct Part {
    NestRunner runner;
    int64_t blocks_per_item = 1;
    int64_t first_item = 0;
  };

  size_t input_count_;
  std::vector<Tensor> constants_;
  std::vector<Part> parts_;
  int64_t items_ = 0;
  size_t operand_bytes_ = 0, scratch_bytes_ = 0;
};

}  // namespace

std::string RegionFamily::Supports(const StepProblem& problem, const CpuDevice&) const {
  try {
    region::PlanRegion(problem);
    return {};
  } catch (const RegionUnsupported& unsupported) {
    return unsupported.reason;
  }
}

std::vector<std::string> RegionFamily::Candidates(const StepProblem&, const CpuDevice&) const { return {""}; }

std::unique_ptr<Kernel> RegionFamily::Create(const StepProblem& problem, const std::string& tactic,
                                             const CpuDevice& device) const {
  if (!tactic.empty())
    ThrowInvalid({.what = "damaged plan", .where = "region", .got = tactic, .expected = "no parameters"});
  try {
    return std::make_unique<RegionKernel>(problem, device);
  } catch (const RegionUnsupported& unsupported) {
    ThrowInvalid({.what = "damaged plan",
                  .where = "region",
                  .got = unsupported.reason,
                  .expected = "a region that was generated before"});
  }
}

}  // namespace tenon
