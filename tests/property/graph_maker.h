#pragma once
#include <functional>
#include <map>
#include <random>
#include <span>
#include <string_view>

#include "graph_spec.h"

namespace tenon::property {

/// Builds one graph from a description; what a maker has at hand.
class GraphMaker {
 public:
  explicit GraphMaker(const GraphSpec& spec);
  std::unique_ptr<Graph> Run();

  /// The next choice, in [0, bound); 0 is the plainest.
  uint32_t Draw(uint32_t bound);
  /// In [low, high], low being the plainest.
  int64_t DrawIn(int64_t low, int64_t high) { return low + Draw(static_cast<uint32_t>(high - low + 1)); }
  /// True once in n.
  bool OneIn(uint32_t n) { return Draw(n) == n - 1; }
  template <class T>
  T Pick(std::initializer_list<T> choices) {
    return choices.begin()[Draw(static_cast<uint32_t>(choices.size()))];
  }
  /// An enumerator of one with `count` values.
  template <class E>
  E PickEnum(size_t count) {
    return static_cast<E>(Draw(static_cast<uint32_t>(count)));
  }
  /// An axis of a tensor of this rank, now and then as a negative number.
  int64_t Axis(size_t rank);

  using Accepts = std::function<bool(const Value&)>;
  /// The value that the next reference names, or the nearest one that is accepted; null when none is.
  Value* Operand(const Accepts& accepts);
  /// A new constant or, now and then, a graph input.
  Value* Parameter(const Tensor& data, int64_t low = 0, int64_t high = 0);
  Value* RandomParameter(DType dtype, const Shape& shape, double scale = 1);
  Value* Constant(const Tensor& tensor) { return graph_->AddConstant(tensor); }
  Value* Ints(const std::vector<int64_t>& values) { return IntConstant(DType::kInt64, values); }
  Value* IntConstant(DType dtype, const std::vector<int64_t>& values);
  /// Random elements of the description's style.
  Tensor Random(DType dtype, const Shape& shape, double scale = 1);
  /// Indices of [-dim, dim), i32 or i64, as a constant or an input. `dim` must not be 0.
  Value* Indices(const Shape& shape, int64_t dim);

  /// Adds a node whose outputs later steps may read. Null when the operands don't fit or the result is too large.
  Node* Add(std::unique_ptr<Op> op, const std::vector<Value*>& inputs);
  template <class T>
  Node* Emit(T op, const std::vector<Value*>& inputs) {
    return Add(std::make_unique<T>(std::move(op)), inputs);
  }

 private:
  Value* InputOf(uint32_t key);
  Value* NewInput(const TensorType& type, int64_t low, int64_t high);
  void AddOutputs();

  const GraphSpec& spec_;
  const NodeSpec* node_ = nullptr;
  size_t next_draw_ = 0, next_ref_ = 0;
  uint32_t made_ = 0;
  std::unique_ptr<Graph> graph_ = std::make_unique<Graph>();
  std::map<uint32_t, Value*> values_;  ///< null: an input that nobody has asked for yet
  uint32_t tensors_ = 0;               ///< random ones that the present step made
};

/// Adds nodes for one kind of op; adds none when no value fits.
struct Maker {
  std::string_view name;
  void (*make)(GraphMaker&);
  uint32_t weight;  ///< how often it is chosen, relative to the others
};
/// All makers; the position of one never depends on the others' order of use.
std::span<const Maker> Makers();
/// Index of the maker of this name.
uint32_t MakerNamed(std::string_view name);

inline bool IsFloat32(const Value& value) { return value.dtype() == DType::kFloat32; }
inline bool IsFloatValue(const Value& value) { return IsFloat(value.dtype()); }
inline bool AnyValue(const Value&) { return true; }
inline size_t RankOf(const Value& value) { return value.shape().size(); }

std::span<const Maker> PointwiseMakers();
std::span<const Maker> ComputeMakers();
std::span<const Maker> ReductionMakers();
std::span<const Maker> IndexMakers();
std::span<const Maker> GatherMakers();
std::span<const Maker> ShapeMakers();
std::span<const Maker> SampleMakers();

}  // namespace tenon::property
