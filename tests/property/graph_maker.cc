#include "graph_maker.h"

#include <cmath>
#include <limits>

namespace tenon::property {
namespace {

constexpr int64_t kMaxElems = 6000;

double RandomReal(std::mt19937_64& random, DataStyle style) {
  const double real = std::uniform_real_distribution<double>(-2, 2)(random);
  if (style == DataStyle::kTies) return std::nearbyint(real * 4) / 4;
  if (style == DataStyle::kReal || random() % 24 != 0) return real;
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN(), kInf = std::numeric_limits<double>::infinity();
  constexpr double kSpecials[] = {kNan, kNan, 0.0, -0.0, 0.0, -0.0, -3e4, 1e-41, 90, -90, 1e10};
  if (random() % 50 == 0) return random() % 2 ? kInf : -kInf;
  return kSpecials[random() % std::size(kSpecials)];
}

uint64_t Mix(uint64_t a, uint64_t b) {
  std::seed_seq seed{static_cast<uint32_t>(a), static_cast<uint32_t>(a >> 32), static_cast<uint32_t>(b)};
  uint32_t words[2];
  seed.generate(words, words + 2);
  return uint64_t{words[0]} << 32 | words[1];
}

DataStyle StyleOf(const GraphSpec& spec) { return static_cast<DataStyle>(spec.data_style % kDataStyles); }

}  // namespace

Tensor RandomData(const TensorType& type, uint64_t seed, DataStyle style, int64_t low, int64_t high) {
  std::mt19937_64 random(seed);
  Tensor tensor(DType::kFloat64, *type.shape);
  const int64_t lowest = type.dtype == DType::kUInt8 ? std::max<int64_t>(low, 0) : low;
  for (int64_t i = 0; i < tensor.elems(); ++i) {
    double& element = tensor.data<double>()[i];
    if (IsFloat(type.dtype)) {
      element = RandomReal(random, style);
    } else if (type.dtype == DType::kBool) {
      element = static_cast<double>(random() % 2);
    } else {
      element = static_cast<double>(lowest + static_cast<int64_t>(random() % static_cast<uint64_t>(high - lowest + 1)));
    }
  }
  return tensor.CastTo(type.dtype);
}

std::vector<Tensor> InputData(const Graph& graph) {
  const uint64_t seed = std::stoull(graph.metadata.at("seed"));
  const auto style = static_cast<DataStyle>(std::stoi(graph.metadata.at("style")));
  std::vector<Tensor> data;
  for (const Value* input : graph.inputs()) {
    int64_t low = -3, high = 3;
    if (const auto range = graph.metadata.find("range " + input->name()); range != graph.metadata.end()) {
      low = std::stoll(range->second);
      high = std::stoll(range->second.substr(range->second.find(' ')));
    }
    data.push_back(RandomData(input->type(), Mix(seed, std::hash<std::string>()(input->name())), style, low, high));
  }
  return data;
}

std::unique_ptr<Graph> BuildGraph(const GraphSpec& spec) { return GraphMaker(spec).Run(); }

GraphMaker::GraphMaker(const GraphSpec& spec) : spec_(spec) {
  graph_->name = "random";
  graph_->metadata["seed"] = std::to_string(spec.seed);
  graph_->metadata["style"] = std::to_string(spec.data_style % kDataStyles);
  graph_->metadata["variant"] = std::to_string(spec.variant);
  for (uint32_t i = 0; i < spec.inputs.size(); ++i) values_[ValueKey(i, 0)] = nullptr;
}

std::unique_ptr<Graph> GraphMaker::Run() {
  for (const NodeSpec& node : spec_.nodes) {
    node_ = &node;
    next_draw_ = next_ref_ = made_ = tensors_ = 0;
    Makers()[node.maker % Makers().size()].make(*this);
  }
  AddOutputs();
  graph_->EraseUnusedConstants();
  Verify(*graph_);
  return std::move(graph_);
}

uint32_t GraphMaker::Draw(uint32_t bound) {
  return next_draw_ < node_->draws.size() && bound > 0 ? node_->draws[next_draw_++] % bound : 0;
}

int64_t GraphMaker::Axis(size_t rank) {
  const int64_t axis = Draw(static_cast<uint32_t>(rank));
  return OneIn(4) ? axis - static_cast<int64_t>(rank) : axis;
}

Value* GraphMaker::InputOf(uint32_t key) {
  Value*& value = values_.at(key);
  if (!value) value = graph_->AddInput(fmt::format("x{}", key / kOutputsPerId), spec_.inputs[key / kOutputsPerId]);
  return value;
}

Value* GraphMaker::NewInput(const TensorType& type, int64_t low, int64_t high) {
  // Named by the step that wants it: the name decides the data, which must not change when other steps are dropped.
  Value* value = graph_->AddInput(fmt::format("p{}_{}", node_->id, tensors_++), type);
  if (low != -3 || high != 3) graph_->metadata["range " + value->name()] = fmt::format("{} {}", low, high);
  return value;
}

Value* GraphMaker::Operand(const Accepts& accepts) {
  const uint32_t ref = next_ref_ < node_->refs.size() ? node_->refs[next_ref_++] : 0;
  const auto try_key = [&](uint32_t key) -> Value* {
    Value* value = values_.at(key);
    if (value) return value->has_shape() && accepts(*value) ? value : nullptr;
    // An input that isn't there yet: would it be accepted? Asked of a stand-in, so that unused inputs never appear.
    Graph scratch;
    return accepts(*scratch.AddInput("x", spec_.inputs[key / kOutputsPerId])) ? InputOf(key) : nullptr;
  };
  const auto start = values_.upper_bound(ref);
  for (auto at = start; at != values_.begin();) {
    if (Value* value = try_key((--at)->first)) return value;
  }
  for (auto at = start; at != values_.end(); ++at) {
    if (Value* value = try_key(at->first)) return value;
  }
  return nullptr;
}

Value* GraphMaker::Parameter(const Tensor& data, int64_t low, int64_t high) {
  if (!OneIn(6)) return Constant(data);
  return IsFloat(data.dtype()) ? NewInput(data.type(), -3, 3) : NewInput(data.type(), low, high);
}

Value* GraphMaker::RandomParameter(DType dtype, const Shape& shape, double scale) {
  return Parameter(Random(dtype, shape, scale), -3, 3);
}

Value* GraphMaker::IntConstant(DType dtype, const std::vector<int64_t>& values) {
  return Constant(Tensor::Of<int64_t>({static_cast<int64_t>(values.size())}, values).CastTo(dtype));
}

Tensor GraphMaker::Random(DType dtype, const Shape& shape, double scale) {
  const uint64_t seed = Mix(spec_.seed, ValueKey(node_->id, static_cast<uint32_t>(tensors_++)));
  // Specials in weights would leave nothing but NaN behind them.
  const DataStyle style = StyleOf(spec_) == DataStyle::kTies ? DataStyle::kTies : DataStyle::kReal;
  Tensor data = RandomData({dtype, shape}, seed, style);
  if (scale == 1 || !IsFloat(dtype)) return data;
  Tensor wide = data.CastTo(DType::kFloat64);
  Tensor scaled(DType::kFloat64, shape);
  for (int64_t i = 0; i < wide.elems(); ++i) scaled.data<double>()[i] = wide.data<double>()[i] * scale;
  return scaled.CastTo(dtype);
}

Value* GraphMaker::Indices(const Shape& shape, int64_t dim) {
  const DType dtype = Pick({DType::kInt64, DType::kInt32});
  const uint64_t seed = Mix(spec_.seed, ValueKey(node_->id, static_cast<uint32_t>(tensors_++)));
  const int64_t low = OneIn(3) ? -dim : 0;
  return Parameter(RandomData({dtype, shape}, seed, DataStyle::kReal, low, dim - 1), low, dim - 1);
}

Node* GraphMaker::Add(std::unique_ptr<Op> op, const std::vector<Value*>& inputs) {
  Node* node = nullptr;
  try {
    node = graph_->Add(std::move(op), inputs, fmt::format("n{}_{}", node_->id, made_));
  } catch (const Error& error) {
    if (error.code() != ErrorCode::kInvalidInput) throw;
    return nullptr;
  }
  for (const Value* output : node->outputs()) {
    if (output->has_shape() && ElemCount(output->shape()) > kMaxElems) {
      graph_->Erase(node);
      return nullptr;
    }
  }
  for (Value* output : node->outputs()) {
    graph_->Rename(output, fmt::format("v{}_{}", node_->id, made_));
    if (made_ < kOutputsPerId) values_[ValueKey(node_->id, made_++)] = output;
  }
  return node;
}

void GraphMaker::AddOutputs() {
  size_t count = 0;
  for (const auto& [key, value] : values_) {
    if (!value || !value->producer()) continue;
    const bool chosen = spec_.outputs != 0 && Mix(spec_.outputs, key) % 5 == 0;
    if (value->users().empty() || chosen) graph_->AddOutput(value, fmt::format("y{}", count++));
  }
}

std::span<const Maker> Makers() {
  static const std::vector<Maker> makers = [] {
    std::vector<Maker> all;
    for (const auto& list : {PointwiseMakers(), ComputeMakers(), ReductionMakers(), IndexMakers(), GatherMakers(),
                             ShapeMakers(), SampleMakers()})
      all.insert(all.end(), list.begin(), list.end());
    return all;
  }();
  return makers;
}

uint32_t MakerNamed(std::string_view name) {
  for (uint32_t i = 0; i < Makers().size(); ++i) {
    if (Makers()[i].name == name) return i;
  }
  TENON_CHECK(false, "no maker {}", name);
  return 0;
}

}  // namespace tenon::property
