#include "backends/region/region_builder.h"

#include <algorithm>
#include <bit>

#include "ops/conv.h"
#include "ops/index.h"
#include "ops/quantize.h"
#include "ops/reduce.h"

namespace tenon::region {
namespace {

constexpr size_t kMostInstrs = 1 << 13;
constexpr size_t kMostElements = 1 << 17;
// Building recurses along the body's nodes.
constexpr size_t kMostNodes = 1000;

/// The reasons go to users (--verbose), so they name the op.
[[noreturn]] void Unsupported(std::string reason) { throw RegionUnsupported{std::move(reason)}; }

bool IsSameKindOfFloat(DType a, DType b) { return IsFloat(a) && IsFloat(b); }

}  // namespace

bool Affine::IsConstant() const {
  return std::all_of(terms.begin(), terms.end(), [](int64_t term) { return term == 0; });
}

RegionBuilder::RegionBuilder(const Graph& body, const StepProblem& problem, std::vector<Tensor>& constants)
    : body_(body), problem_(problem), constants_(constants) {
  if (body.nodes().size() > kMostNodes) Unsupported(fmt::format("a region of {} nodes", body.nodes().size()));
  for (size_t i = 0; i < body.inputs().size(); ++i) inputs_[body.inputs()[i]] = i;
}

void RegionBuilder::Begin(std::span<const int64_t> extents) {
  extents_.assign(extents.begin(), extents.end());
  program_ = {};
  memo_.clear();
}

void RegionBuilder::AddRoot(size_t output, const std::vector<Affine>& index) {
  const KernelOperand& operand = problem_.outputs[output];
  const int value = Build(body_.outputs()[output], index);
  Affine offset = Constant(0);
  for (size_t d = 0; d < index.size(); ++d) {
    offset.constant += index[d].constant * operand.strides_bytes[d];
    for (size_t l = 0; l < extents_.size(); ++l) offset.terms[l] += index[d].terms[l] * operand.strides_bytes[d];
  }
  program_.stores.push_back({{static_cast<int>(output), operand.dtype, std::move(offset)}, value});
}

template <class Make>
int RegionBuilder::Memo(const void* tag, int64_t what, const Index& index, const Make& make) {
  std::vector<int64_t> key = {static_cast<int64_t>(reinterpret_cast<intptr_t>(tag)), what};
  for (const Affine& affine : index) {
    key.push_back(affine.constant);
    key.insert(key.end(), affine.terms.begin(), affine.terms.end());
  }
  const auto found = memo_.find(key);
  if (found != memo_.end()) return found->second;
  const int id = make();
  if (memo_.size() > kMostElements) Unsupported("a region of too many elements at a time");
  memo_.emplace(std::move(key), id);
  return id;
}

int RegionBuilder::Build(const Value* value, const Index& index) {
  if (value->dtype() == DType::kFloat64) Unsupported(fmt::format("f64 value {}", value->name()));
  return Memo(value, kElement, index, [&] {
    if (value->is_constant()) return BuildConstant(value, index);
    if (const auto input = inputs_.find(value); input != inputs_.end()) return BuildInput(value, input->second, index);
    return BuildNode(*value->producer(), value, index);
  });
}

int RegionBuilder::BuildNode(const Node& node, const Value* value, const Index& index) {
  const std::string_view op = node.op().name();
  if (node.op().op_class() == OpClass::kPointwise) return BuildPointwise(node, index);
  if (node.As<Concat>()) return BuildConcat(node, index);
  if (node.As<Split>()) return BuildSplit(node, value, index);
  if (node.As<Slice>()) return BuildSlice(node, index);
  if (node.As<Transpose>()) return BuildTranspose(node, index);
  if (node.As<Reshape>() || op == "Squeeze" || op == "Unsqueeze") return BuildReshape(node, index);
  if (node.As<Expand>()) return Build(node.input(0), Broadcast(node.input(0)->shape(), index));
  if (node.As<Reduce>()) return BuildReduce(node, index);
  if (node.As<Softmax>()) return BuildSoftmax(node, index);
  if (node.As<Conv>()) return BuildConv(node, index);
  Unsupported(fmt::format("{} ({}) is no part of a region", op, node.name()));
}

int RegionBuilder::Load(int operand, DType dtype, Affine offset) {
  program_.loads.push_back({operand, dtype, std::move(offset)});
  Instr instr{.opcode = Opcode::kLoad, .dtype = dtype};
  instr.load = static_cast<int>(program_.loads.size()) - 1;
  program_.instrs.push_back(instr);
  return static_cast<int>(program_.instrs.size()) - 1;
}

int RegionBuilder::BuildInput(const Value* value, size_t input, const Index& index) {
  const KernelOperand& operand = problem_.inputs[input];
  Affine offset = Constant(0);
  for (size_t d = 0; d < index.size(); ++d) {
    offset.constant += index[d].constant * operand.strides_bytes[d];
    for (size_t l = 0; l < extents_.size(); ++l) offset.terms[l] += index[d].terms[l] * operand.strides_bytes[d];
  }
  return Load(static_cast<int>(input), value->dtype(), std::move(offset));
}

int RegionBuilder::BuildConstant(const Value* value, const Index& index) {
  const Tensor& tensor = value->constant();
  const std::vector<int64_t> strides = ContiguousStrides(tensor.shape());
  Affine element = Constant(0);
  for (size_t d = 0; d < index.size(); ++d) {
    element.constant += index[d].constant * strides[d];
    for (size_t l = 0; l < extents_.size(); ++l) element.terms[l] += index[d].terms[l] * strides[d];
  }
  if (element.IsConstant()) {
    Instr instr{.opcode = Opcode::kConst, .dtype = tensor.dtype()};
    if (IsFloat(tensor.dtype())) {
      instr.number = tensor.AsDouble(element.constant);
    } else {
      instr.integer = tensor.AsInt(element.constant);
    }
    return Emit(instr);
  }
  const auto [it, is_new] = constant_operands_.try_emplace(tensor.raw(), static_cast<int>(constants_.size()));
  if (is_new) constants_.push_back(tensor);
  const int64_t size = SizeOf(tensor.dtype());
  element.constant *= size;
  for (int64_t& term : element.terms) term *= size;
  return Load(static_cast<int>(problem_.inputs.size()) + it->second, tensor.dtype(), std::move(element));
}

int RegionBuilder::Emit(Instr instr) {
  // Equal instructions are one: also those that come from different nodes of the body.
  const std::vector<int64_t> key = {-1,
                                    static_cast<int64_t>(instr.opcode),
                                    static_cast<int64_t>(instr.dtype),
                                    static_cast<int64_t>(instr.unary),
                                    static_cast<int64_t>(instr.binary),
                                    std::bit_cast<int32_t>(instr.alpha),
                                    std::bit_cast<int32_t>(instr.beta),
                                    instr.args[0],
                                    instr.args[1],
                                    instr.args[2],
                                    std::bit_cast<int64_t>(instr.number),
                                    instr.integer};
  const auto [it, is_new] = memo_.try_emplace(key, static_cast<int>(program_.instrs.size()));
  if (!is_new) return it->second;
  if (program_.instrs.size() >= kMostInstrs) Unsupported(fmt::format("a region of over {} instructions", kMostInstrs));
  program_.instrs.push_back(instr);
  return it->second;
}

int RegionBuilder::EmitBinary(BinaryKind kind, DType dtype, int a, int b) {
  return Emit({.opcode = Opcode::kBinary, .dtype = dtype, .binary = kind, .args = {a, b, -1}});
}

int RegionBuilder::EmitUnary(UnaryKind kind, DType dtype, int x) {
  return Emit({.opcode = Opcode::kUnary, .dtype = dtype, .unary = kind, .args = {x, -1, -1}});
}

int RegionBuilder::EmitNumber(DType dtype, double number) {
  Instr instr{.opcode = Opcode::kConst, .dtype = dtype};
  IsFloat(dtype) ? void(instr.number = number) : void(instr.integer = static_cast<int64_t>(number));
  return Emit(instr);
}

RegionBuilder::Index RegionBuilder::Broadcast(const Shape& shape, const Index& index) {
  Index result(index.end() - static_cast<int64_t>(shape.size()), index.end());
  for (size_t d = 0; d < shape.size(); ++d) {
    if (shape[d] != 1) continue;
    result[d].constant = 0;
    std::fill(result[d].terms.begin(), result[d].terms.end(), 0);
  }
  return result;
}

/// Scale or zero point, as FP32: one for all or one per index of the axis.
int RegionBuilder::BuildScale(const Node& node, size_t input, const Index& index, int64_t axis, int64_t block_size) {
  const Value* scale = node.input(input);
  if (block_size != 0) Unsupported(fmt::format("{} by blocks", node.op().name()));
  const bool is_one = ElemCount(scale->shape()) == 1;
  const auto at = static_cast<size_t>(axis < 0 ? axis + static_cast<int64_t>(index.size()) : axis);
  const int value = Build(scale, is_one ? Index(scale->shape().size(), Constant(0)) : Index{index.at(at)});
  if (IsFloat(scale->dtype())) return value;
  return Emit({.opcode = Opcode::kCast, .dtype = DType::kFloat32, .args = {value, -1, -1}});
}

// The quotient is rounded to FP32 before it is rounded to a whole number, as the op has it.
int RegionBuilder::BuildQuantize(const Node& node, const Index& index) {
  const auto& op = *node.As<QuantizeLinear>();
  if (!IsFloat(node.input(0)->dtype())) Unsupported("QuantizeLinear of integers");
  const int x = Build(node.input(0), index), scale = BuildScale(node, 1, index, op.axis, op.block_size);
  int steps = EmitUnary(UnaryKind::kRound, DType::kFloat32, EmitBinary(BinaryKind::kDiv, DType::kFloat32, x, scale));
  if (node.input(2)) {
    steps = EmitBinary(BinaryKind::kAdd, DType::kFloat32, steps, BuildScale(node, 2, index, op.axis, op.block_size));
  }
  return Emit({.opcode = Opcode::kCast, .dtype = op.to, .args = {steps, -1, -1}});
}

int RegionBuilder::BuildDequantize(const Node& node, const Index& index) {
  const auto& op = *node.As<DequantizeLinear>();
  if (SizeOf(node.input(0)->dtype()) != 1) Unsupported("DequantizeLinear of more than 8 bits");
  int steps = Emit({.opcode = Opcode::kCast, .dtype = DType::kFloat32, .args = {Build(node.input(0), index), -1, -1}});
  if (node.input(2)) {
    steps = EmitBinary(BinaryKind::kSub, DType::kFloat32, steps, BuildScale(node, 2, index, op.axis, op.block_size));
  }
  return EmitBinary(BinaryKind::kMul, DType::kFloat32, steps, BuildScale(node, 1, index, op.axis, op.block_size));
}

int RegionBuilder::BuildPointwise(const Node& node, const Index& index) {
  if (node.As<QuantizeLinear>()) return BuildQuantize(node, index);
  if (node.As<DequantizeLinear>()) return BuildDequantize(node, index);
  std::array<int, 3> args = {-1, -1, -1};
  if (node.inputs().size() > args.size())
    Unsupported(fmt::format("{} of {} operands", node.op().name(), node.inputs().size()));
  for (size_t i = 0; i < node.inputs().size(); ++i)
    args[i] = Build(node.input(i), Broadcast(node.input(i)->shape(), index));
  const DType dtype = node.output()->dtype();
  if (const auto* unary = node.As<Unary>()) {
    if (unary->kind == UnaryKind::kIdentity) return args[0];
    return Emit({.opcode = Opcode::kUnary,
                 .dtype = dtype,
                 .unary = unary->kind,
                 .alpha = unary->alpha,
                 .beta = unary->beta,
                 .args = args});
  }
  if (const auto* binary = node.As<Binary>()) {
    if (binary->kind == BinaryKind::kPow) return BuildPow(node, index);
    return EmitBinary(binary->kind, dtype, args[0], args[1]);
  }
  if (node.As<Where>()) return Emit({.opcode = Opcode::kWhere, .dtype = dtype, .args = args});
  if (!node.As<Cast>()) Unsupported(fmt::format("{} is no part of a region", node.op().name()));
  // Values between instructions are FP32 whatever float type the graph says: a cast between those costs nothing.
  const DType source = node.input(0)->dtype();
  if (source == dtype || IsSameKindOfFloat(source, dtype)) return args[0];
  return Emit({.opcode = Opcode::kCast, .dtype = dtype, .args = args});
}

int RegionBuilder::BuildPow(const Node& node, const Index& index) {
  const DType dtype = node.output()->dtype();
  const int x = Build(node.input(0), Broadcast(node.input(0)->shape(), index));
  int exponent = Build(node.input(1), Broadcast(node.input(1)->shape(), index));
  const DType exponent_type = node.input(1)->dtype();
  if (!IsFloat(dtype)) {
    if (IsFloat(exponent_type)) Unsupported("Pow of an integer to a float");
    return EmitBinary(BinaryKind::kPow, dtype, x, exponent);
  }
  const Instr& instr = program_.instrs[static_cast<size_t>(exponent)];
  if (instr.opcode == Opcode::kConst) {
    const double number = IsFloat(exponent_type) ? instr.number : static_cast<double>(instr.integer);
    if (number == 1) return x;
    if (number == 2) return EmitBinary(BinaryKind::kMul, dtype, x, x);
    if (number == 3) return EmitBinary(BinaryKind::kMul, dtype, EmitBinary(BinaryKind::kMul, dtype, x, x), x);
    if (number == 0.5) return EmitUnary(UnaryKind::kSqrt, dtype, x);
  }
  if (!IsFloat(exponent_type))
    exponent = Emit({.opcode = Opcode::kCast, .dtype = DType::kFloat32, .args = {exponent, -1, -1}});
  return EmitBinary(BinaryKind::kPow, dtype, x, exponent);
}

std::vector<int64_t> ReducedAxes(const Node& node) {
  const auto rank = static_cast<int64_t>(node.input(0)->shape().size());
  const Value* axes = node.input(1);
  if (axes && !axes->is_constant()) Unsupported("Reduce over axes that aren't constant");
  std::vector<int64_t> result = axes ? axes->constant().AsInts() : std::vector<int64_t>();
  for (int64_t& axis : result) axis += axis < 0 ? rank : 0;
  if (result.empty() && !node.As<Reduce>()->noop_with_empty_axes) {
    for (int64_t axis = 0; axis < rank; ++axis) result.push_back(axis);
  }
  std::sort(result.begin(), result.end());
  return result;
}

int RegionBuilder::BuildReduce(const Node& node, const Index& index) {
  const auto& op = *node.As<Reduce>();
  const Shape& shape = node.input(0)->shape();
  const std::vector<int64_t> axes = ReducedAxes(node);
  const DType dtype = node.output()->dtype();
  int64_t count = 1;
  for (const int64_t axis : axes) count *= shape[static_cast<size_t>(axis)];
  if (count == 0 || count > kMostUnrolled) Unsupported(fmt::format("Reduce over {} elements", count));
  if (op.kind == ReduceKind::kMean && !IsFloat(dtype)) Unsupported("mean of integers");
  Index full(shape.size(), Constant(0));
  size_t next = 0;
  for (size_t d = 0; d < shape.size(); ++d) {
    const bool is_reduced = std::binary_search(axes.begin(), axes.end(), static_cast<int64_t>(d));
    if (!is_reduced) full[d] = index[next];
    next += !is_reduced || op.keep_dims;
  }
  const auto element = [&](int64_t flat) {
    for (size_t a = axes.size(); a-- > 0;) {
      const auto d = static_cast<size_t>(axes[a]);
      full[d] = Constant(flat % shape[d]);
      flat /= shape[d];
    }
    const int x = Build(node.input(0), full);
    switch (op.kind) {
      case ReduceKind::kL1:
        return EmitUnary(UnaryKind::kAbs, dtype, x);
      case ReduceKind::kL2:
      case ReduceKind::kSumSquare:
        return EmitBinary(BinaryKind::kMul, dtype, x, x);
      default:
        return x;
    }
  };
  if (op.kind == ReduceKind::kLogSumExp || op.kind == ReduceKind::kLogSum) Unsupported("log-sum reductions");
  BinaryKind join = BinaryKind::kAdd;
  if (op.kind == ReduceKind::kMax) join = BinaryKind::kMax;
  if (op.kind == ReduceKind::kMin) join = BinaryKind::kMin;
  if (op.kind == ReduceKind::kProd) join = BinaryKind::kMul;
  int sum = element(0);
  for (int64_t i = 1; i < count; ++i) sum = EmitBinary(join, dtype, sum, element(i));
  if (op.kind == ReduceKind::kMean)
    return EmitBinary(BinaryKind::kMul, dtype, sum, EmitNumber(dtype, 1.0 / static_cast<double>(count)));
  if (op.kind == ReduceKind::kL2) return EmitUnary(UnaryKind::kSqrt, dtype, sum);
  return sum;
}

int RegionBuilder::BuildSoftmax(const Node& node, const Index& index) {
  const auto& op = *node.As<Softmax>();
  const Value* x = node.input(0);
  const auto axis = static_cast<size_t>(op.axis < 0 ? op.axis + static_cast<int64_t>(index.size()) : op.axis);
  const int64_t size = x->shape()[axis];
  const DType dtype = node.output()->dtype();
  if (size > kMostUnrolled) Unsupported(fmt::format("Softmax over {} elements", size));
  if (!index[axis].IsConstant()) {
    const auto& terms = index[axis].terms;
    const auto loop = std::find_if(terms.begin(), terms.end(), [](int64_t term) { return term != 0; }) - terms.begin();
    throw LoopChange{LoopChange::Kind::kUnroll, static_cast<int>(loop), 0};
  }
  Index group = index;
  group[axis] = Constant(0);
  const auto at = [&](int64_t i) {
    Index element = index;
    element[axis] = Constant(i);
    return Build(x, element);
  };
  const int max = Memo(&node, kSoftmaxMax, group, [&] {
    int result = at(0);
    for (int64_t i = 1; i < size; ++i)
      result = Emit({.opcode = Opcode::kFastMax, .dtype = dtype, .args = {result, at(i), -1}});
    return result;
  });
  const auto shifted = [&](int64_t i) { return EmitBinary(BinaryKind::kSub, dtype, at(i), max); };
  const auto exp = [&](int64_t i) { return EmitUnary(UnaryKind::kExp, dtype, shifted(i)); };
  const int sum = Memo(&node, kSoftmaxSum, group, [&] {
    int result = exp(0);
    for (int64_t i = 1; i < size; ++i) result = EmitBinary(BinaryKind::kAdd, dtype, result, exp(i));
    return op.log ? EmitUnary(UnaryKind::kLog, dtype, result) : EmitUnary(UnaryKind::kReciprocal, dtype, result);
  });
  const int64_t i = index[axis].constant;
  return op.log ? EmitBinary(BinaryKind::kSub, dtype, shifted(i), sum)
                : EmitBinary(BinaryKind::kMul, dtype, exp(i), sum);
}

// The DFL decoder of YOLO heads is a 1x1 Conv from 16 bins to one channel.
int RegionBuilder::BuildConv(const Node& node, const Index& index) {
  const auto& op = *node.As<Conv>();
  const Shape& weights = node.input(1)->shape();
  const auto is_one = [](int64_t v) { return v == 1; };
  const auto is_zero = [](int64_t v) { return v == 0; };
  const bool is_1x1 = std::all_of(weights.begin() + 2, weights.end(), is_one) && op.groups == 1 &&
                      std::all_of(op.strides.begin(), op.strides.end(), is_one) &&
                      std::all_of(op.pads.begin(), op.pads.end(), is_zero);
  if (!is_1x1 || weights[1] > kMostUnrolled) Unsupported("Conv other than 1x1 over few channels");
  if (node.input(3) || op.epilogue.activation != Activation::kNone || op.epilogue.post != Activation::kNone) {
    Unsupported("Conv with an epilogue");
  }
  const DType dtype = DType::kFloat32;
  Index x = index, w(weights.size(), Constant(0));
  w[0] = index[1];
  int sum = node.input(2) ? Build(node.input(2), {index[1]}) : -1;
  for (int64_t i = 0; i < weights[1]; ++i) {
    x[1] = w[1] = Constant(i);
    const int product = EmitBinary(BinaryKind::kMul, dtype, Build(node.input(0), x), Build(node.input(1), w));
    sum = sum < 0 ? product : EmitBinary(BinaryKind::kAdd, dtype, sum, product);
  }
  return sum;
}

}  // namespace tenon::region
