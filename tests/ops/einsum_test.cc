#include "ops/einsum.h"

#include "ops/op_testing.h"

namespace tenon {
namespace {

Tensor EvalEinsum(const std::string& equation, const std::vector<Tensor>& operands) {
  Einsum op;
  op.equation = equation;
  return Eval(op, operands);
}

const Tensor kMatrix = Floats({2, 2}, {1, 2, 3, 4});

TEST(EinsumTest, Forms) {
  ExpectTensor(EvalEinsum("ij,jk->ik", {kMatrix, kMatrix}), Floats({2, 2}, {7, 10, 15, 22}));
  ExpectTensor(EvalEinsum("ij,jk", {kMatrix, kMatrix}), Floats({2, 2}, {7, 10, 15, 22}));
  ExpectTensor(EvalEinsum("ji", {kMatrix}), Floats({2, 2}, {1, 3, 2, 4}));
  ExpectTensor(EvalEinsum("ii->i", {kMatrix}), Floats({2}, {1, 4}));
  ExpectTensor(EvalEinsum("ii", {kMatrix}), Floats({}, {5}));
  ExpectTensor(EvalEinsum(" i j -> ", {kMatrix}), Floats({}, {10}));
  ExpectTensor(EvalEinsum("i,j,k->kji", {Floats({1}, {2}), Floats({2}, {3, 4}), Floats({1}, {5})}),
               Floats({1, 2, 1}, {30, 40}));
}

TEST(EinsumTest, EllipsisBroadcastsFromTheRight) {
  const Tensor batch = Floats({2, 1, 2}, {1, 2, 3, 4});
  ExpectTensor(EvalEinsum("...j->...", {batch}), Floats({2, 1}, {3, 7}));
  ExpectTensor(EvalEinsum("...i,...i->...", {batch, kMatrix}), Floats({2, 2}, {5, 11, 11, 25}));
  ExpectTensor(EvalEinsum("...ij,jk", {batch, kMatrix}), Floats({2, 1, 2}, {7, 10, 15, 22}));
}

TEST(EinsumTest, IntegersAndEmptySums) {
  ExpectTensor(EvalEinsum("i,i", {Longs({2}, {3, 4}), Longs({2}, {5, 6})}), Longs({}, {39}));
  ExpectTensor(EvalEinsum("ij->j", {Floats({0, 2}, {})}), Floats({2}, {0, 0}));
}

TEST(EinsumTest, RefusesBadEquations) {
  for (const char* equation : {"", "ij", "ij,jk,k->i", "ij,jk->iz", "ij,jk->ii", "i.j,jk->ik", "ij...,...jk...->ik",
                               "ijk,jk", "i,jk", "1j,jk"}) {
    Einsum op;
    op.equation = equation;
    ExpectRefused(op, {kMatrix, kMatrix});
  }
  Einsum op;
  op.equation = "ij,jk->ik";
  ExpectRefused(op, {kMatrix, Floats({3, 1}, {1, 2, 3})});
  ExpectRefused(op, {kMatrix, Longs({2, 1}, {1, 2})});
  ExpectRefused(op, {});
}

}  // namespace
}  // namespace tenon
