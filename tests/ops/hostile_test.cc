// Random attributes and operands, as a hostile model can have them: every op either computes what Infer promised or
// throws Error(kInvalidInput). With the sanitizers on, this is where out-of-bounds and overflow would show.
#include <algorithm>
#include <random>

#include "ops/op_list.h"
#include "ops/op_testing.h"

namespace tenon {
namespace {

using Random = std::mt19937;

template <class T, size_t n>
T Pick(Random& random, const T (&values)[n]) {
  return values[random() % n];
}

int64_t SmallOrWild(Random& random) {
  // No values of moderate size: a tensor of some GiB is a legal wish, and this machine might fulfil it.
  constexpr int64_t kWild[] = {INT64_MIN, -(int64_t{1} << 40), -1, int64_t{1} << 40, int64_t{1} << 62, INT64_MAX};
  return random() % 10 == 0 ? Pick(random, kWild) : static_cast<int64_t>(random() % 4) - (random() % 8 == 0);
}

DType AnyDType(Random& random) { return random() % 3 ? DType::kFloat32 : static_cast<DType>(random() % kDTypeCount); }

class Randomizer final : public AttrVisitor {
 public:
  explicit Randomizer(Random& random) : random_(random) {}
  void Int(std::string_view, int64_t& value) override { value = SmallOrWild(random_); }
  void Bool(std::string_view, bool& value) override { value = random_() % 2; }
  void Float(std::string_view, float& value) override {
    constexpr float kValues[] = {0, 1, -1, 1e30f, -1e30f, 0.5f};
    value = Pick(random_, kValues);
  }
  void String(std::string_view, std::string& value) override {
    constexpr std::string_view kPieces[] = {"i", "j", "ij", "ijk", "...", ",", "->", ".", " ", "ii"};
    value.clear();
    for (unsigned i = random_() % 6; i > 0; --i) value += Pick(random_, kPieces);
  }
  void Ints(std::string_view, std::vector<int64_t>& value) override {
    value.resize(random_() % 5);
    for (int64_t& v : value) v = SmallOrWild(random_);
  }
  void Floats(std::string_view, std::vector<float>& value) override { value.assign(random_() % 3, 0.5f); }
  void Type(std::string_view, DType& value) override { value = AnyDType(random_); }
  void Body(std::string_view, std::shared_ptr<Graph>&) override {}

 private:
  void EnumIndex(std::string_view, int& value, std::span<const std::string_view> names) override {
    value = static_cast<int>(random_() % names.size());
  }
  Random& random_;
};

Shape RandomShape(Random& random, int rank) {
  Shape shape;
  for (int i = 0; i < rank; ++i) shape.push_back(random() % 10 == 0 ? 0 : 1 + random() % 3);
  return shape;
}

Tensor RandomTensor(Random& random, const Shape& shape) {
  Tensor tensor(DType::kInt64, shape);
  for (int64_t i = 0; i < tensor.elems(); ++i) tensor.data<int64_t>()[i] = SmallOrWild(random);
  return tensor.CastTo(AnyDType(random));
}

std::vector<Tensor> RandomOperands(Random& random) {
  std::vector<Tensor> operands;
  const int rank = static_cast<int>(random() % 6);
  const bool has_vectors = random() % 3 == 0;  // one element per channel, as normalisations want; else they'd never fit
  for (unsigned i = random() % 6; i > 0; --i) {
    Shape shape = RandomShape(random, random() % 3 ? rank : static_cast<int>(random() % 6));
    if (has_vectors && !operands.empty() && operands[0].rank() > 1) shape = {operands[0].shape()[1]};
    operands.push_back(random() % 10 ? RandomTensor(random, shape) : Tensor());
  }
  return operands;
}

/// 1 where the op took the operands, 0 where it refused them.
int Try(const Op& op, const std::vector<Tensor>& operands) {
  std::vector<TensorType> types(operands.size());
  std::vector<InferInput> known(operands.size());
  for (size_t i = 0; i < operands.size(); ++i) {
    if (operands[i].is_null()) continue;
    types[i] = operands[i].type();
    known[i] = {&types[i], &operands[i]};
  }
  try {
    const std::vector<TensorType> promised = op.Infer(known);
    const std::vector<Tensor> results = op.Evaluate(operands);
    EXPECT_EQ(results.size(), promised.size()) << op.name();
    for (size_t i = 0; i < std::min(results.size(), promised.size()); ++i)
      EXPECT_EQ(ToString(results[i].type()), ToString(promised[i])) << op.name();
    return 1;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidInput) << op.name() << ": " << error.what();
    return 0;
  }
}

class HostileTest : public testing::TestWithParam<const char*> {};

TEST_P(HostileTest, ComputesOrRefuses) {
  Random random(20261123);
  int taken = 0;
  constexpr int kTries = 5000, kMaxTries = 200000;  // beyond kTries only until something fits
  for (int i = 0; (i < kTries || (taken == 0 && i < kMaxTries)) && !HasFailure(); ++i) {
    const std::unique_ptr<Op> op = MakeOp(GetParam());
    ASSERT_TRUE(op) << GetParam();
    if (random() % 4) {  // else the defaults, which fit more often
      Randomizer randomizer(random);
      op->VisitAttrs(randomizer);
    }
    taken += Try(*op, RandomOperands(random));
  }
  EXPECT_GT(taken, 0) << "no operands ever fitted: the test shows nothing";
}

INSTANTIATE_TEST_SUITE_P(Ops, HostileTest,
                         testing::Values("Unary", "Binary", "Where", "Cast", "Conv", "ConvTranspose", "MatMul",
                                         "Attention", "Einsum", "Pool", "Reduce", "Softmax", "ArgReduce", "CumSum",
                                         "BatchNorm", "GroupNorm", "LayerNorm", "Lrn", "QuantizeLinear",
                                         "DequantizeLinear"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace tenon
