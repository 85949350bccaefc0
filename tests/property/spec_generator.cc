#include "spec_generator.h"

#include <algorithm>

#include "graph_maker.h"
#include "ir/text.h"
#include "ops/pointwise.h"

namespace tenon::property {
namespace {

constexpr size_t kDraws = 24;

/// Writes descriptions: single random steps and the blocks that detectors are made of.
class SpecWriter {
 public:
  explicit SpecWriter(uint64_t seed) : random_(seed) {}

  GraphSpec Run(size_t steps) {
    AddInputs();
    while (spec_.nodes.size() < steps) AddSome();
    spec_.seed = random_() >> 32;
    spec_.data_style = OneIn(4) ? 1 : OneIn(6) ? 2 : 0;
    spec_.outputs = OneIn(3) ? 1 + Below(1000) : 0;
    spec_.variant = OneIn(2) ? 0 : Below(1000);
    return std::move(spec_);
  }

 private:
  uint32_t Below(uint32_t bound) { return static_cast<uint32_t>(random_() % bound); }
  bool OneIn(uint32_t n) { return Below(n) == 0; }

  int64_t Dim() {
    constexpr int64_t kDims[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 17};
    return OneIn(40) ? 0 : kDims[Below(std::size(kDims))];
  }

  void AddInputs() {
    const uint32_t count = 1 + Below(3);
    for (uint32_t i = 0; i < count; ++i) {
      constexpr DType kOthers[] = {DType::kFloat16, DType::kInt64, DType::kBool,    DType::kFloat64,
                                   DType::kInt32,   DType::kUInt8, DType::kFloat16, DType::kBFloat16};
      TensorType type{OneIn(6) ? kOthers[Below(std::size(kOthers))] : DType::kFloat32, Shape{}};
      if (Below(3) < 2) {
        type.shape = Shape{OneIn(4) ? 2 : 1, Dim(), Dim(), Dim()};
      } else {
        for (uint32_t rank = Below(6); rank > 0; --rank) type.shape->push_back(Dim());
      }
      while (ElemCount(*type.shape) > 1200) (*type.shape)[Below(static_cast<uint32_t>(type.shape->size()))] = 2;
      spec_.inputs.push_back(type);
    }
  }

  /// A step's key for its first output.
  uint32_t Add(uint32_t maker, std::vector<uint32_t> refs, std::vector<uint32_t> draws, size_t random_draws = 0) {
    const uint32_t id = kMaxInputs + static_cast<uint32_t>(spec_.nodes.size());
    for (size_t i = 0; i < random_draws; ++i) draws.push_back(Below(1 << 16));
    spec_.nodes.push_back({maker, id, std::move(refs), std::move(draws)});
    return last_ = ValueKey(id, 0);
  }
  uint32_t Add(std::string_view maker, std::vector<uint32_t> refs, std::vector<uint32_t> draws,
               size_t random_draws = 0) {
    return Add(MakerNamed(maker), std::move(refs), std::move(draws), random_draws);
  }

  /// Any value so far; the last one more often.
  uint32_t AnyRef() {
    if (spec_.nodes.empty()) return ValueKey(Below(static_cast<uint32_t>(spec_.inputs.size())), 0);
    if (OneIn(2)) return last_;
    return Below(ValueKey(kMaxInputs + static_cast<uint32_t>(spec_.nodes.size()), 0));
  }

  void AddSome() {
    switch (Below(14)) {
      case 0:
        return void(AddConvBlock(AnyRef()));
      case 1:
        return AddCspBlock();
      case 2:
        return AddPyramidPool();
      case 3:
        return AddNeck();
      case 4:
        return AddHead();
      case 5:
        return AddAttention();
      case 6:
        return AddPointwiseChain();
      default:
        return void(AddSingle(AnyRef()));
    }
  }

  uint32_t AddSingle(uint32_t first_ref) {
    uint32_t total = 0;
    for (const Maker& maker : Makers()) total += maker.weight;
    uint32_t pick = Below(total), index = 0;
    while (pick >= Makers()[index].weight) pick -= Makers()[index++].weight;
    return Add(index, {first_ref, AnyRef(), AnyRef(), AnyRef()}, {}, kDraws);
  }

  /// kernel, stride and channels as positions in the maker's lists; the padding keeps the size.
  uint32_t AddConv(uint32_t x, uint32_t kernel, uint32_t stride) {
    std::vector<uint32_t> draws = {kernel, stride, 0, 1};
    draws.resize(4 + 10, 0);  // no axis differs
    draws.insert(draws.end(), {0, Below(10)});
    return Add("Conv", {x}, std::move(draws), 6);
  }

  uint32_t AddUnary(uint32_t x, UnaryKind kind) { return Add("Unary", {x}, {static_cast<uint32_t>(kind)}); }
  enum Kind : uint32_t { kAdd = 0, kMul = 1, kSub = 2 };  // places in MakeBinary's list
  uint32_t AddBinary(uint32_t a, uint32_t b, Kind kind) { return Add("Binary", {a, b}, {kind, 1}); }

  uint32_t AddActivation(uint32_t x) {
    if (OneIn(2)) return AddBinary(x, AddUnary(x, UnaryKind::kSigmoid), kMul);
    return AddUnary(x, static_cast<UnaryKind>(Below(12)));
  }

  uint32_t AddConvBlock(uint32_t x) {
    x = AddConv(x, Below(5), Below(4));
    if (OneIn(3)) x = Add("BatchNorm", {x}, {});
    return OneIn(5) ? x : AddActivation(x);
  }

  uint32_t AddConcat(const std::vector<uint32_t>& parts) {
    std::vector<uint32_t> draws = {0, 0, 0, static_cast<uint32_t>(parts.size()) - 2};
    return Add("Concat", parts, std::move(draws));
  }

  /// Conv, split, bottleneck with a residual, concat, conv: C2f and its kin.
  void AddCspBlock() {
    const uint32_t x = AddConvBlock(AnyRef());
    const uint32_t split = Add("Split", {x}, {});
    const uint32_t half = split + 1;
    uint32_t y = AddActivation(AddConv(half, 1, 0));
    if (OneIn(2)) y = AddActivation(AddConv(y, 1, 0));
    if (!OneIn(3)) y = AddBinary(half, y, kAdd);
    y = AddConcat(OneIn(2) ? std::vector{split, half, y} : std::vector{x, y});
    if (OneIn(2)) AddConvBlock(y);
  }

  void AddPyramidPool() {
    std::vector<uint32_t> parts = {AnyRef()};
    const uint32_t count = 1 + Below(3);
    for (uint32_t i = 0; i < count; ++i) parts.push_back(Add("Pool", {parts.back()}, {0, 3, 0, 0, 1}));
    AddConcat(parts);
  }

  /// Upsampled by two and joined with something; two readers of one upsample now and then.
  void AddNeck() {
    const uint32_t up = Add("Upsample", {AddConvBlock(AnyRef())}, {Below(2), Below(2)});
    const uint32_t x = AddConcat({up, AnyRef()});
    if (OneIn(2)) AddConvBlock(x);
    if (OneIn(3)) AddConcat({AnyRef(), up});
  }

  /// Scales flattened, joined along the anchors, split into boxes and scores; softmax over bins, arithmetic, sigmoid.
  void AddHead() {
    const auto flat = [&](uint32_t x) { return Add("Reshape", {x}, {2, 0}); };
    uint32_t x = flat(AddConv(AnyRef(), 0, 0));
    if (OneIn(2)) x = Add("Concat", {x, flat(AddConv(AnyRef(), 0, 0))}, {2, 0, 2});
    const uint32_t boxes = Add("Split", {x}, {0, 0, 0, Below(2)});
    AddUnary(boxes + 1, UnaryKind::kSigmoid);
    const uint32_t bins = Add("Reshape", {boxes}, {1, 1, Below(4), Below(2)});
    const uint32_t soft = Add("Softmax", {OneIn(2) ? bins : Add("Transpose", {bins}, {}, 5)}, {Below(4)});
    const uint32_t sums = Add("Reduce", {soft}, {0, 0, 0}, 8);
    AddBinary(AddBinary(sums, AnyRef(), kSub), AnyRef(), kMul);
    if (OneIn(2)) AddConcat({last_, boxes + 1});
  }

  void AddAttention() {
    const uint32_t x = OneIn(2) ? Add("Reshape", {AnyRef()}, {2, 0}) : AnyRef();
    const uint32_t keys = Add("Transpose", {x}, {1});  // the last two dimensions swapped
    uint32_t scores = Add("MatMul", {x, keys}, {0, 0, 3});
    if (!OneIn(3)) scores = Add("Binary", {scores}, {kMul, 0, 0});
    const uint32_t soft = Add("Softmax", {scores}, {11});  // the last axis, for every rank up to 4
    Add("MatMul", {soft, x}, {0, 0, 3});
  }

  /// What becomes one region: arithmetic, slices, transposes, reshapes, small softmaxes on the last value.
  void AddPointwiseChain() {
    constexpr const char* kMakers[] = {"Unary",   "Binary", "Binary", "Transpose", "Reshape", "Slice",
                                       "Softmax", "Split",  "Concat", "Where",     "Unary",   "Reduce"};
    const uint32_t count = 2 + Below(6);
    for (uint32_t i = 0; i < count; ++i)
      Add(kMakers[Below(std::size(kMakers))], {OneIn(4) ? AnyRef() : last_, AnyRef(), AnyRef()}, {}, kDraws);
  }

  std::mt19937_64 random_;
  GraphSpec spec_;
  uint32_t last_ = 0;
};

void AddDropped(const GraphSpec& spec, std::vector<GraphSpec>& simpler) {
  for (size_t count = spec.nodes.size(); count > 0; count /= 2) {
    for (size_t first = 0; first < spec.nodes.size(); first += count) {
      GraphSpec shorter = spec;
      const auto begin = shorter.nodes.begin() + static_cast<ptrdiff_t>(first);
      shorter.nodes.erase(begin, begin + static_cast<ptrdiff_t>(std::min(count, spec.nodes.size() - first)));
      if (!shorter.nodes.empty()) simpler.push_back(std::move(shorter));
    }
  }
}

void AddSmallerInputs(const GraphSpec& spec, std::vector<GraphSpec>& simpler) {
  for (size_t i = 0; i < spec.inputs.size(); ++i) {
    const Shape& shape = *spec.inputs[i].shape;
    for (size_t d = 0; d < shape.size(); ++d) {
      for (const int64_t dim : {int64_t{1}, shape[d] / 2, shape[d] - 1}) {
        if (dim < 1 || dim >= shape[d]) continue;
        simpler.push_back(spec);
        (*simpler.back().inputs[i].shape)[d] = dim;
      }
    }
    if (spec.inputs[i].dtype == DType::kFloat32) continue;
    simpler.push_back(spec);
    simpler.back().inputs[i].dtype = DType::kFloat32;
  }
}

void AddPlainerChoices(const GraphSpec& spec, std::vector<GraphSpec>& simpler) {
  for (size_t n = 0; n < spec.nodes.size(); ++n) {
    const auto& draws = spec.nodes[n].draws;
    for (size_t i = 0; i < draws.size(); ++i) {
      if (draws[i] == 0) continue;
      simpler.push_back(spec);
      simpler.back().nodes[n].draws[i] = 0;
    }
  }
}

}  // namespace

std::vector<GraphSpec> SimplerSpecs(const GraphSpec& spec) {
  std::vector<GraphSpec> simpler;
  AddDropped(spec, simpler);
  for (uint32_t GraphSpec::*member : {&GraphSpec::outputs, &GraphSpec::variant, &GraphSpec::data_style}) {
    if (spec.*member == 0) continue;
    simpler.push_back(spec);
    simpler.back().*member = 0;
  }
  AddSmallerInputs(spec, simpler);
  AddPlainerChoices(spec, simpler);
  return simpler;
}

rc::Gen<GraphSpec> RandomGraphs() {
  return [](const rc::Random& random, int size) {
    rc::Random copy = random;
    const uint64_t seed = copy.next();
    // Descriptions grow with RapidCheck's size, from one step to about two dozen.
    GraphSpec spec = SpecWriter(seed).Run(1 + seed % static_cast<uint64_t>(2 + size / 4));
    return rc::shrinkable::shrinkRecur(
        std::move(spec), [](const GraphSpec& from) { return rc::seq::fromContainer(SimplerSpecs(from)); });
  };
}

void showValue(const GraphSpec& spec, std::ostream& out) { out << "\n" << Print(*BuildGraph(spec)); }

}  // namespace tenon::property
