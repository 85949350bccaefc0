#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "backends/kernel.h"
#include "ops/pointwise.h"

namespace tenon::region {

/// An index or a byte offset: constant + sum(terms[i] * loop variable i). One term per loop, in the loops' order.
struct Affine {
  int64_t constant = 0;
  std::vector<int64_t> terms;

  bool IsConstant() const;
  friend bool operator==(const Affine&, const Affine&) = default;
};

/// A place in memory that a program reads or writes: operand address + offset bytes.
struct Access {
  int operand = 0;  ///< region inputs first, then the plan's constants; for stores the region's outputs
  DType dtype = DType::kFloat32;
  Affine offset;  ///< bytes
};

enum class Opcode : uint8_t {
  kLoad,
  kConst,
  kUnary,
  kBinary,
  kWhere,
  kCast,
  kFastMax,  ///< max of floats that may lose a NaN: for softmax, where exp(x - max) brings it back
};

/// One instruction of a program in SSA form: computes one element, or a vector of them for neighbouring loop steps.
/// Floats of every width are held as FP32, integers as int64 wrapped to their type, bools as 0 or 1.
struct Instr {
  Opcode opcode = Opcode::kConst;
  DType dtype = DType::kFloat32;  ///< of the result
  UnaryKind unary = UnaryKind::kIdentity;
  BinaryKind binary = BinaryKind::kAdd;
  float alpha = 0, beta = 0;
  std::array<int, 3> args = {-1, -1, -1};
  int load = -1;        ///< of kLoad: index in Program::loads
  double number = 0;    ///< of kConst, floats
  int64_t integer = 0;  ///< of kConst, integers and bools
};

struct Store {
  Access access;
  int value = -1;
};

/// Straight-line code for one point of a loop nest.
struct Program {
  std::vector<Instr> instrs;
  std::vector<Access> loads;
  std::vector<Store> stores;
};

/// Loops around a program. The plan orders them: outermost first, the lane loop (whose steps are a vector's lanes)
/// last.
struct Nest {
  std::vector<int64_t> extents;
  Program program;
};

/// What a region computes, as loop nests that write disjoint parts of its outputs.
struct RegionPlan {
  std::vector<Nest> nests;
  std::vector<Tensor> constants;  ///< operands beyond the region's inputs: the body's dense constants
};

/// Thrown by the planner for what the generator doesn't do; the text is the reason that KernelFamily::Supports gives.
struct RegionUnsupported {
  std::string reason;
};

}  // namespace tenon::region
