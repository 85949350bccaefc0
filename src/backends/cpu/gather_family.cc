#include "backends/cpu/gather_family.h"

#include <algorithm>
#include <cstring>

#include "ops/gather.h"

namespace tenon {
namespace {

constexpr int64_t kElemsPerItem = 8192;

/// One dimension of the output and how far each operand moves along it, in bytes.
struct GatherDim {
  int64_t size = 1, x = 0, index = 0, out = 0;
};

size_t AxisOf(int64_t axis, size_t rank) {
  return static_cast<size_t>(axis < 0 ? axis + static_cast<int64_t>(rank) : axis);
}

class GatherKernel final : public Kernel {
 public:
  explicit GatherKernel(const StepProblem& problem)
      : op_(problem.op->name()),
        index_type_(problem.inputs[1].dtype),
        elem_bytes_(static_cast<size_t>(SizeOf(problem.inputs[0].dtype))) {
    const KernelOperand &x = problem.inputs[0], &indices = problem.inputs[1], &out = problem.outputs[0];
    const auto* gather = dynamic_cast<const Gather*>(problem.op);
    const size_t axis =
        AxisOf(gather ? gather->axis : dynamic_cast<const GatherElements&>(*problem.op).axis, x.shape.size());
    axis_size_ = x.shape[axis];
    axis_stride_ = x.strides_bytes[axis];
    for (size_t d = 0; d < out.shape.size(); ++d) {
      GatherDim dim{.size = out.shape[d], .out = out.strides_bytes[d]};
      if (!gather) {
        dim.index = indices.strides_bytes[d];
        dim.x = d == axis ? 0 : x.strides_bytes[d];
      } else if (d >= axis && d < axis + indices.shape.size()) {
        dim.index = indices.strides_bytes[d - axis];
      } else {
        dim.x = x.strides_bytes[d < axis ? d : d - indices.shape.size() + 1];
      }
      dims_.push_back(dim);
    }
    if (dims_.empty()) dims_.push_back({});
    rows_ = 1;
    for (size_t d = 0; d + 1 < dims_.size(); ++d) rows_ *= dims_[d].size;
    if (dims_.back().size == 0) rows_ = 0;
    rows_per_item_ = std::max<int64_t>(1, kElemsPerItem / std::max<int64_t>(1, dims_.back().size));
  }

  int64_t work_items() const override { return (rows_ + rows_per_item_ - 1) / rows_per_item_; }

  void Run(const KernelArgs& args, int64_t item, std::byte*) const override {
    const int64_t end = std::min((item + 1) * rows_per_item_, rows_);
    for (int64_t row = item * rows_per_item_; row < end; ++row) {
      const std::byte *x = args.inputs[0], *index = args.inputs[1];
      std::byte* out = args.outputs[0];
      int64_t rest = row;
      for (size_t d = dims_.size() - 1; d-- > 0;) {
        const int64_t step = rest % dims_[d].size;
        rest /= dims_[d].size;
        x += step * dims_[d].x, index += step * dims_[d].index, out += step * dims_[d].out;
      }
      GatherRow(x, index, out);
    }
  }

 private:
  void GatherRow(const std::byte* x, const std::byte* index, std::byte* out) const {
    const GatherDim& row = dims_.back();
    if (row.index == 0) {
      x += IndexAt(index) * axis_stride_;
      const auto size = static_cast<int64_t>(elem_bytes_);
      if (row.x == size && row.out == size) {
        std::memcpy(out, x, static_cast<size_t>(row.size) * elem_bytes_);
        return;
      }
      for (int64_t i = 0; i < row.size; ++i) std::memcpy(out + i * row.out, x + i * row.x, elem_bytes_);
      return;
    }
    for (int64_t i = 0; i < row.size; ++i) {
      std::memcpy(out + i * row.out, x + i * row.x + IndexAt(index + i * row.index) * axis_stride_, elem_bytes_);
    }
  }

  int64_t IndexAt(const std::byte* at) const {
    int64_t index = 0;
    if (index_type_ == DType::kInt64) {
      std::memcpy(&index, at, sizeof(index));
    } else {
      int32_t narrow = 0;
      std::memcpy(&narrow, at, sizeof(narrow));
      index = narrow;
    }
    return CheckedIndex(op_, index, axis_size_);
  }

  std::string op_;
  DType index_type_;
  size_t elem_bytes_;
  int64_t axis_size_ = 0, axis_stride_ = 0;
  std::vector<GatherDim> dims_;
  int64_t rows_ = 1, rows_per_item_ = 1;
};

}  // namespace

std::string GatherFamily::Supports(const StepProblem& problem, const CpuDevice&) const {
  if (!dynamic_cast<const Gather*>(problem.op) && !dynamic_cast<const GatherElements*>(problem.op))
    return fmt::format("{} is no Gather", problem.op->name());
  if (problem.inputs.at(0).shape.empty()) return "a scalar";
  return {};
}

std::vector<std::string> GatherFamily::Candidates(const StepProblem&, const CpuDevice&) const { return {""}; }

std::unique_ptr<Kernel> GatherFamily::Create(const StepProblem& problem, const std::string& tactic,
                                             const CpuDevice& device) const {
  const std::string reason = tactic.empty() ? Supports(problem, device) : tactic;
  if (!reason.empty())
    ThrowInvalid(
        {.what = "damaged plan", .where = "gather", .got = reason, .expected = "a step that the family takes"});
  return std::make_unique<GatherKernel>(problem);
}

}  // namespace tenon
