#pragma once
#include <map>
#include <span>

#include "backends/region/region_program.h"
#include "ir/graph.h"
#include "ops/matmul.h"

namespace tenon::region {

/// Thrown while building when the loops don't fit the body; the caller changes them and builds again.
struct LoopChange {
  enum class Kind : uint8_t {
    kSplit,   ///< loop becomes (extent / amount, amount)
    kCut,     ///< the domain is cut in two: steps [0, amount) and the rest
    kUnroll,  ///< every step becomes a root of its own
  };
  Kind kind = Kind::kSplit;
  int loop = 0;
  int64_t amount = 0;
};

/// Reductions and softmax over more elements are no part of a region.
inline constexpr int64_t kMostUnrolled = 64;

/// Builds programs from a region's body by index substitution, as Halide inlines: the element of an output at an index
/// is an expression over elements of the inputs; index ops (Reshape, Slice, ...) change the index only. Every (value,
/// index) pair is built once per program.
class RegionBuilder {
 public:
  /// `constants` collects the dense constants that programs read.
  RegionBuilder(const Graph& body, const StepProblem& problem, std::vector<Tensor>& constants);

  /// Starts a program under loops of these extents.
  void Begin(std::span<const int64_t> extents);
  /// Adds the element of `output` at `index` to the program. Throws LoopChange or RegionUnsupported.
  void AddRoot(size_t output, const std::vector<Affine>& index);
  Program Take() { return std::move(program_); }
  size_t instr_count() const { return program_.instrs.size(); }

 private:
  using Index = std::vector<Affine>;
  enum Tag : int64_t { kElement, kSoftmaxMax, kSoftmaxExp, kSoftmaxSum };

  int Build(const Value* value, const Index& index);
  int BuildNode(const Node& node, const Value* value, const Index& index);
  int BuildInput(const Value* value, size_t input, const Index& index);
  int BuildConstant(const Value* value, const Index& index);
  int BuildPointwise(const Node& node, const Index& index);
  int BuildConcat(const Node& node, const Index& index);
  int BuildSplit(const Node& node, const Value* value, const Index& index);
  int BuildSlice(const Node& node, const Index& index);
  int BuildReshape(const Node& node, const Index& index);
  int BuildTranspose(const Node& node, const Index& index);
  int BuildReduce(const Node& node, const Index& index);
  int BuildSoftmax(const Node& node, const Index& index);
  int BuildConv(const Node& node, const Index& index);
  int BuildQuantize(const Node& node, const Index& index);
  int BuildDequantize(const Node& node, const Index& index);
  int BuildScale(const Node& node, size_t input, const Index& index, int64_t axis, int64_t block_size);
  int BuildPow(const Node& node, const Index& index);

  /// The index of a value that is broadcast to the shape that `index` points into.
  static Index Broadcast(const Shape& shape, const Index& index);
  int Load(int operand, DType dtype, Affine offset);
  int Emit(Instr instr);
  int EmitBinary(BinaryKind kind, DType dtype, int a, int b);
  int EmitUnary(UnaryKind kind, DType dtype, int x);
  int EmitNumber(DType dtype, double number);
  template <class Make>
  int Memo(const void* tag, int64_t what, const Index& index, const Make& make);

  Affine Constant(int64_t value) const { return {value, std::vector<int64_t>(extents_.size(), 0)}; }
  int64_t LowestOf(const Affine& index) const;
  int64_t HighestOf(const Affine& index) const;
  struct Quotient {
    Affine quotient, remainder;
  };
  Quotient Divide(const Affine& index, int64_t divisor) const;
  [[noreturn]] void CutAt(const Affine& index, int64_t boundary) const;

  const Graph& body_;
  const StepProblem& problem_;
  std::vector<Tensor>& constants_;
  std::map<const Value*, size_t> inputs_;
  std::map<const void*, int> constant_operands_;
  std::vector<int64_t> extents_;
  Program program_;
  std::map<std::vector<int64_t>, int> memo_;
};

}  // namespace tenon::region
