#pragma once
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ir/tensor.h"
#include "ir/types.h"

namespace tenon {

class Graph;

/// Walks an op's attributes by name: the one mechanism behind printing, parsing, comparing and hashing of ops.
/// An op calls the matching function for each attribute, always in the same order.
class AttrVisitor {
 public:
  virtual ~AttrVisitor() = default;
  virtual void Int(std::string_view name, int64_t& value) = 0;
  virtual void Bool(std::string_view name, bool& value) = 0;
  virtual void Float(std::string_view name, float& value) = 0;
  virtual void String(std::string_view name, std::string& value) = 0;
  virtual void Ints(std::string_view name, std::vector<int64_t>& value) = 0;
  virtual void Floats(std::string_view name, std::vector<float>& value) = 0;
  virtual void Type(std::string_view name, DType& value) = 0;
  /// A fused op's body.
  virtual void Body(std::string_view name, std::shared_ptr<Graph>& value) = 0;

  /// `names[i]` is the text of the enumerator with value i.
  template <class E>
  void Enum(std::string_view name, E& value, std::span<const std::string_view> names) {
    int index = static_cast<int>(value);
    EnumIndex(name, index, names);
    value = static_cast<E>(index);
  }

 protected:
  virtual void EnumIndex(std::string_view name, int& value, std::span<const std::string_view> names) = 0;
};

/// What shape inference knows of an input.
struct InferInput {
  const TensorType* type = nullptr;  ///< null: the optional input is absent
  const Tensor* value = nullptr;     ///< its elements where they are constant, else null
};

/// Work of one evaluation: arithmetic operations (a multiply-add counts two) and bytes read and written at least once.
struct Cost {
  double flops = 0;
  double bytes = 0;
};

/// How passes may treat an op.
enum class OpClass {
  kPointwise,  ///< output element i depends on input elements i alone (after broadcasting)
  kIndex,      ///< moves elements without arithmetic: reshape, transpose, slice, concat, expand, ...
  kReduction,  ///< reduces or normalises along axes: Reduce*, Softmax, ...
  kOther,
};

/// An operation with typed attributes. Semantics are those of the newest ONNX opset (documented in each op's file);
/// the importer translates older forms. Optional inputs may be absent (a null Value*, a null Tensor).
class Op {
 public:
  virtual ~Op() = default;
  virtual std::string_view name() const = 0;
  virtual OpClass op_class() const { return OpClass::kOther; }
  virtual std::unique_ptr<Op> Clone() const = 0;
  /// A default-constructed op of the same kind: what the printer compares with to leave defaults out.
  virtual std::unique_ptr<Op> CloneDefault() const = 0;
  virtual void VisitAttrs(AttrVisitor&) {}

  /// Types of all outputs that the op can produce, in order. Throws Error(kInvalidInput) when the inputs don't fit.
  virtual std::vector<TensorType> Infer(std::span<const InferInput> inputs) const = 0;

  /// Reference evaluation: simple, exact where the op is, FP32 (or double) inside for 16-bit types.
  /// Returns the outputs of Infer, in order. Throws Error(kInvalidInput) when the inputs don't fit.
  virtual std::vector<Tensor> Evaluate(std::span<const Tensor> inputs) const = 0;

  /// Default: one operation per output element.
  virtual Cost EstimateCost(std::span<const TensorType> inputs, std::span<const TensorType> outputs) const;
};

/// CRTP base: an op `struct Foo : OpBase<Foo>` declares `static constexpr std::string_view kName = "Foo";`.
template <class Derived>
class OpBase : public Op {
 public:
  std::string_view name() const override { return Derived::kName; }
  std::unique_ptr<Op> Clone() const override { return std::make_unique<Derived>(static_cast<const Derived&>(*this)); }
  std::unique_ptr<Op> CloneDefault() const override { return std::make_unique<Derived>(); }
};

/// Makes an op with default attributes from its name; null for a name it doesn't know.
using OpFactory = std::unique_ptr<Op> (*)(std::string_view name);

}  // namespace tenon
