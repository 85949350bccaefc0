#include "backends/cpu/region_family.h"
#include "ir/text.h"
#include "ops/index.h"
#include "ops/pointwise.h"
#include "ops/reduce.h"
#include "ops/region.h"
#include "strided_harness.h"

namespace tenon::strided {
namespace {

/// Makes bodies of random ops on small tensors; the same body from the same seed.
class BodyMaker {
 public:
  explicit BodyMaker(uint64_t seed) : random_(seed), body_(std::make_shared<Graph>()) {}

  std::shared_ptr<Graph> Run(int nodes) {
    for (const Shape& shape : {Shape{2, 6, 8}, Shape{1, 12, 5}})
      values_.push_back(body_->AddInput("x", {DType::kFloat32, shape}));
    for (int i = 0; i < nodes; ++i) AddNode(values_[Below(values_.size())]);
    for (size_t i = values_.size(); i-- > 0 && body_->outputs().size() < 3;) {
      if (values_[i]->users().empty() && values_[i]->producer()) body_->AddOutput(values_[i], values_[i]->name());
    }
    return body_;
  }

 private:
  size_t Below(size_t bound) { return random_() % bound; }
  Value* Ints(const std::vector<int64_t>& values) {
    return body_->AddConstant(Tensor::Of<int64_t>({static_cast<int64_t>(values.size())}, values));
  }
  template <class T>
  void Add(T op, std::vector<Value*> inputs) {
    Node* node = body_->AddOp(std::move(op), std::move(inputs));
    for (Value* output : node->outputs()) values_.push_back(output);
  }

  void AddNode(Value* x) {
    const Shape& shape = x->shape();
    const size_t axis = Below(shape.size());
    switch (Below(10)) {
      case 0: {
        Unary op;
        const UnaryKind kinds[] = {UnaryKind::kNeg, UnaryKind::kSigmoid, UnaryKind::kTanh, UnaryKind::kErf};
        op.kind = kinds[Below(4)];
        return Add(op, {x});
      }
      case 1:
      case 2: {
        Binary op;
        const BinaryKind kinds[] = {BinaryKind::kAdd, BinaryKind::kSub, BinaryKind::kMul, BinaryKind::kMax};
        op.kind = kinds[Below(4)];
        for (Value* other : values_) {
          if (other != x && other->shape() == shape) return Add(op, {x, other});
        }
        return Add(op, {x, body_->AddConstant(RandomOperand(DType::kFloat32, {shape.back()}, random_(), -1, 1))});
      }
      case 3: {
        Transpose op;
        for (size_t d = 0; d < shape.size(); ++d) op.perm.push_back(static_cast<int64_t>(d));
        std::shuffle(op.perm.begin(), op.perm.end(), random_);
        return Add(op, {x});
      }
      case 4:
        return AddReshape(x, axis);
      case 5: {
        const int64_t start = static_cast<int64_t>(Below(static_cast<size_t>(shape[axis])));
        const bool is_reversed = Below(3) == 0;
        return Add(Slice{},
                   {x, Ints({is_reversed ? -1 : start}), Ints({is_reversed ? -1000 : 1000}),
                    Ints({static_cast<int64_t>(axis)}), Ints({is_reversed ? -1 : 1 + static_cast<int64_t>(Below(2))})});
      }
      case 6: {
        Concat op;
        op.axis = static_cast<int64_t>(axis);
        Value* y = x;
        for (Value* other : values_) {
          Shape like = other->shape();
          if (like.size() != shape.size()) continue;
          like[axis] = shape[axis];
          if (like == shape) y = other;
        }
        if (shape[axis] > 40) return;
        return Add(op, {x, y});
      }
      case 7: {
        if (shape[axis] < 2) return;
        Split op;
        op.axis = static_cast<int64_t>(axis);
        op.num_outputs = 2;
        return Add(op, {x, Ints({1, shape[axis] - 1})});
      }
      case 8: {
        Softmax op;
        op.axis = static_cast<int64_t>(axis);
        return shape[axis] <= 16 ? Add(op, {x}) : void();
      }
      default: {
        Reduce op;
        op.kind = ReduceKind::kMean;
        return shape[axis] <= 16 ? Add(op, {x, Ints({static_cast<int64_t>(axis)})}) : void();
      }
    }
  }

  /// Splits a dimension or joins it with the next.
  void AddReshape(Value* x, size_t axis) {
    Shape shape = x->shape();
    if (Below(2) == 0 && axis + 1 < shape.size()) {
      shape[axis] *= shape[axis + 1];
      shape.erase(shape.begin() + static_cast<int64_t>(axis) + 1);
    } else {
      const int64_t part = shape[axis] % 3 == 0 ? 3 : shape[axis] % 2 == 0 ? 2 : 1;
      shape[axis] /= part;
      shape.insert(shape.begin() + static_cast<int64_t>(axis), part);
    }
    if (shape.size() <= 5) Add(Reshape{}, {x, Ints(shape)});
  }

  std::mt19937_64 random_;
  std::shared_ptr<Graph> body_;
  std::vector<Value*> values_;
};

TEST(RegionRandomTest, RandomBodiesMatchReference) {
  const RegionFamily family;
  constexpr uint64_t kBodies = 300;
  const std::vector<Layout> layouts = {Layout::kRowMajor, Layout::kChannelsLast, Layout::kPitched, Layout::kShuffled};
  uint64_t supported = 0;
  for (uint64_t seed = 0; seed < kBodies; ++seed) {
    Region region;
    region.body = BodyMaker(seed).Run(3 + static_cast<int>(seed % 10));
    FamilyCase test{&region,
                    {},
                    {layouts[seed % 4], layouts[seed / 4 % 4]},
                    {layouts[seed / 16 % 4], layouts[seed % 4]},
                    TestDevices()[seed % TestDevices().size()]};
    std::vector<TensorType> types;
    for (const Value* input : region.body->inputs())
      test.inputs.push_back(RandomOperand(DType::kFloat32, input->shape(), seed, -1, 1));
    for (const Value* output : region.body->outputs()) types.push_back(output->type());
    if (types.empty() || !family.Supports(MakeRun(test, types)->problem, test.device).empty()) continue;
    ++supported;
    // Ten ops on numbers near 1, each good to a few units in the last place; sums cancel.
    ASSERT_NO_FATAL_FAILURE(ExpectFamilyMatches(family, test, {1e-5, 1e-5})) << "seed " << seed << "\n"
                                                                             << Print(*region.body);
  }
  EXPECT_GT(supported, kBodies * 3 / 4);
}

}  // namespace
}  // namespace tenon::strided
