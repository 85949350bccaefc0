#include "ops/arg_reduce.h"

#include <limits>

#include "ops/cumsum.h"
#include "ops/op_testing.h"

namespace tenon {
namespace {

const Tensor kTable = Floats({2, 3}, {1, 3, 3, 5, 4, 4});

TEST(ArgReduceTest, FirstOrLastOfEqual) {
  ArgReduce op;
  op.axis = 1;
  ExpectTensor(Eval(op, {kTable}), Longs({2, 1}, {1, 0}));
  op.select_last_index = true;
  op.keep_dims = false;
  ExpectTensor(Eval(op, {kTable}), Longs({2}, {2, 0}));
  op.kind = ArgReduceKind::kMin;
  ExpectTensor(Eval(op, {kTable}), Longs({2}, {0, 2}));
  op.axis = -2;
  ExpectTensor(Eval(op, {kTable}), Longs({3}, {0, 0, 0}));
}

TEST(ArgReduceTest, NanIsTheExtremeAndIntegersAreExact) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  ExpectTensor(Eval(ArgReduce(), {Floats({3}, {9, nan, nan})}), Longs({1}, {1}));
  const int64_t big = int64_t{1} << 60;
  ExpectTensor(Eval(ArgReduce(), {Longs({2}, {big, big + 1})}), Longs({1}, {1}));
}

TEST(ArgReduceTest, RefusesBadAxes) {
  ArgReduce op;
  op.axis = 2;
  ExpectRefused(op, {kTable});
  ExpectRefused(ArgReduce(), {Floats({0, 2}, {})});
  ExpectRefused(ArgReduce(), {Floats({}, {1})});
}

TEST(CumSumTest, ExclusiveAndReverse) {
  CumSum op;
  const Tensor x = Floats({3}, {1, 2, 3}), axis = Longs({}, {-1});
  ExpectTensor(Eval(op, {x, axis}), Floats({3}, {1, 3, 6}));
  op.exclusive = true;
  ExpectTensor(Eval(op, {x, axis}), Floats({3}, {0, 1, 3}));
  op.reverse = true;
  ExpectTensor(Eval(op, {x, axis}), Floats({3}, {5, 3, 0}));
  ExpectTensor(Eval(CumSum(), {Longs({2, 2}, {1, 2, 3, 4}), Tensor::Of<int32_t>({1}, {0})}),
               Longs({2, 2}, {1, 2, 4, 6}));
  ExpectRefused(op, {x, Longs({}, {1})});
  ExpectRefused(op, {x, Longs({2}, {0, 0})});
  ExpectRefused(op, {Floats({}, {1}), Longs({}, {0})});
}

}  // namespace
}  // namespace tenon
