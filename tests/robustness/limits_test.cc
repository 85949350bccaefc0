// Few bytes that ask for much: refused before anything is allocated.
#include "ir/limits.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/memory.h"
#include "ir/text.h"
#include "ops/evaluate.h"
#include "ops/op_list.h"
#include "passes/pass_runner.h"

namespace tenon {
namespace {

template <class F>
std::string Refusal(F&& f, ErrorCode code = ErrorCode::kInvalidInput) {
  try {
    f();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), code) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "not refused";
  return {};
}

TEST(LimitsTest, TensorSizes) {
  CheckTensorSize("t", DType::kUInt8, {kMaxTensorBytes});
  EXPECT_NE(Refusal([] { CheckTensorSize("t", DType::kUInt8, {kMaxTensorBytes + 1}); }).find("too large"),
            std::string::npos);
  Refusal([] { CheckTensorSize("t", DType::kFloat32, {kMaxTensorBytes / 4, 2}); });
  Refusal([] { CheckTensorSize("t", DType::kFloat32, {INT64_MAX, INT64_MAX}); });
  Refusal([] { CheckTensorSize("t", DType::kFloat32, {0, int64_t{1} << 40}); });  // empty, and yet with wild strides
  Refusal([] { CheckTensorSize("t", DType::kFloat32, {-1}); });
  Refusal([] { CheckTensorSize("t", DType::kFloat32, Shape(kMaxRank + 1, 1)); });
}

TEST(LimitsTest, MemoryOfTheMachine) {
  const int64_t available = AvailableMemoryBytes();
  EXPECT_GT(available, int64_t{1} << 20);
  CheckMemory("nothing", 0);
  CheckMemory("little", 1 << 20);
  EXPECT_NE(Refusal([] { CheckMemory("all", int64_t{1} << 60); }, ErrorCode::kUnsupportedDevice)
                .find("not enough memory for all"),
            std::string::npos);
  Refusal([] { Tensor(DType::kFloat32, {int64_t{1} << 58}); }, ErrorCode::kUnsupportedDevice);
}

TEST(LimitsTest, GraphsRefuseLargeTensors) {
  Graph graph;
  Refusal([&] { graph.AddInput("x", {DType::kFloat32, Shape{1 << 20, 1 << 20}}); });
  Refusal([&] { graph.AddConstant(Tensor(DType::kFloat32, {0, int64_t{1} << 50}), "c"); });
  // Broadcasting: two small operands, a large result.
  Value* rows = graph.AddInput("rows", {DType::kFloat32, Shape{1 << 20, 1}});
  Value* columns = graph.AddInput("columns", {DType::kFloat32, Shape{1, 1 << 20}});
  std::unique_ptr<Op> add = MakeOp("Binary");
  EXPECT_NE(Refusal([&] { graph.Add(std::move(add), {rows, columns}); }).find("too large"), std::string::npos);
}

/// Found by fuzzing: a text of 100 bytes that says to have 16 GiB.
TEST(LimitsTest, TextsRefuseConstantsThatTheyDoNotHave) {
  const auto parse = [](const std::string& constant) { return Parse("graph \"g\" {\n" + constant + "\n}", &MakeOp); };
  EXPECT_NE(Refusal([&] { parse("const %c: i64[2147483648] = [1, 16, 8]"); }).find("too large"), std::string::npos);
  Refusal([&] { parse("const %c: i64[2147483648] = splat(1)"); });
  Refusal([&] { parse("const %c: i64[2147483648] = random(1)"); });
  Refusal([&] { parse("const %c: i64[268435456] = [1, 16, 8]"); });  // small enough, but not there
}

TEST(LimitsTest, FoldingHasABudget) {
  // 40 results of 64 MiB: the first 16 are folded, the rest stays for run time.
  Graph graph;
  const Tensor shape = Tensor::Of<int64_t>({1}, {16 << 20});
  std::vector<const Node*> nodes;
  for (int i = 0; i < 40; ++i)
    nodes.push_back(graph.Add(MakeOp("Expand"), {graph.AddConstant(Tensor::Scalar(1.0f)), graph.AddConstant(shape)}));
  FoldingBudget budget;
  int taken = 0;
  for (const Node* node : nodes) taken += budget.Take(*node) ? 1 : 0;
  EXPECT_EQ(taken, 16);
  const Tensor larger = Tensor::Of<int64_t>({1}, {17 << 20});
  FoldingBudget fresh;
  EXPECT_FALSE(
      fresh.Take(*graph.Add(MakeOp("Expand"), {graph.AddConstant(Tensor::Scalar(1.0f)), graph.AddConstant(larger)})));
}

}  // namespace
}  // namespace tenon
