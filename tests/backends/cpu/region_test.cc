#include "ops/region.h"

#include "backends/cpu/region_family.h"
#include "ir/text.h"
#include "ops/op_list.h"
#include "ops/pointwise.h"
#include "ops/reduce.h"
#include "strided_harness.h"

namespace tenon::strided {
namespace {

const RegionFamily kFamily;
// exp, tanh and erf are good to 4e-7; a division and a few roundings on top.
const Tolerance kFloat32Tolerance{1.5e-6, 6e-7};
const std::vector<Layout> kLayouts = {Layout::kRowMajor, Layout::kChannelsLast, Layout::kPitched, Layout::kShuffled};

Region MakeRegion(std::string_view text) {
  Region region;
  region.body = Parse(text, MakeOp);
  return region;
}

std::vector<Tensor> RandomInputs(const Graph& graph, uint64_t seed = 1) {
  std::vector<Tensor> inputs;
  for (const Value* input : graph.inputs()) inputs.push_back(RandomOperand(input->dtype(), input->shape(), seed++));
  return inputs;
}

void ExpectRegion(std::string_view text, const Tolerance& tolerance, const std::vector<Layout>& inputs,
                  const std::vector<Layout>& outputs) {
  const Region region = MakeRegion(text);
  for (const CpuDevice& device : TestDevices()) {
    const FamilyCase test{&region, RandomInputs(*region.body), inputs, outputs, device};
    ASSERT_NO_FATAL_FAILURE(ExpectFamilyMatches(kFamily, test, tolerance)) << device.features.ToString();
  }
}

/// In every layout of the first input and of the outputs.
void ExpectRegionInAllLayouts(std::string_view text, const Tolerance& tolerance = kFloat32Tolerance) {
  for (const Layout in : kLayouts) {
    for (const Layout out : kLayouts) {
      ASSERT_NO_FATAL_FAILURE(ExpectRegion(text, tolerance, {in, Layout::kRowMajor}, {out}))
          << "layouts " << static_cast<int>(in) << " " << static_cast<int>(out);
    }
  }
}

double DomainLow(UnaryKind kind) {
  switch (kind) {
    case UnaryKind::kLog:
    case UnaryKind::kSqrt:
      return 0.01;
    case UnaryKind::kAcosh:
      return 1.01;
    case UnaryKind::kAsin:
    case UnaryKind::kAcos:
    case UnaryKind::kAtanh:
      return -0.99;
    default:
      return -4;
  }
}
double DomainHigh(UnaryKind kind) { return DomainLow(kind) == -0.99 ? 0.99 : 6; }

TEST(RegionTest, EveryUnaryKind) {
  for (const CpuDevice& device : TestDevices()) {
    for (size_t kind = 0; kind < kUnaryNames.size(); ++kind) {
      Unary op;
      op.kind = static_cast<UnaryKind>(kind);
      op.alpha = 0.25f;
      op.beta = 1.5f;
      for (const DType dtype : {DType::kFloat32, DType::kBFloat16}) {
        const bool is_not = op.kind == UnaryKind::kNot;
        const Tensor x =
            RandomOperand(is_not ? DType::kBool : dtype, {2, 5, 3, 7}, kind, DomainLow(op.kind), DomainHigh(op.kind));
        const FamilyCase test{&op, {x}, {Layout::kPitched}, {Layout::kShuffled}, device};
        // bf16: half a unit in the last place, and one more where the FP32 result lies next to a rounding boundary.
        const Tolerance tolerance = dtype == DType::kFloat32 ? kFloat32Tolerance : Tolerance{1.0 / 128, 1e-6};
        ASSERT_NO_FATAL_FAILURE(ExpectFamilyMatches(kFamily, test, tolerance))
            << kUnaryNames[kind] << " " << ToString(dtype);
      }
    }
  }
}

TEST(RegionTest, EveryIntegerUnaryKind) {
  for (const UnaryKind kind :
       {UnaryKind::kRelu, UnaryKind::kClip, UnaryKind::kAbs, UnaryKind::kNeg, UnaryKind::kSign, UnaryKind::kIdentity}) {
    for (const DType dtype : {DType::kInt8, DType::kUInt8, DType::kInt32, DType::kInt64}) {
      Unary op;
      op.kind = kind;
      op.alpha = -3;
      op.beta = 300;
      const FamilyCase test{&op, {RandomOperand(dtype, {3, 17}, 3)}, {Layout::kPitched}, {Layout::kShuffled}};
      ASSERT_NO_FATAL_FAILURE(ExpectFamilyMatches(kFamily, test, {}))
          << kUnaryNames[static_cast<size_t>(kind)] << " " << ToString(dtype);
    }
  }
}

bool Takes(BinaryKind kind, DType dtype) {
  if (kind >= BinaryKind::kBitwiseAnd) return !IsFloat(dtype) && dtype != DType::kBool;
  if (kind >= BinaryKind::kAnd) return dtype == DType::kBool;
  return dtype != DType::kBool || kind == BinaryKind::kEqual;
}

TEST(RegionTest, EveryBinaryKindAndType) {
  for (const CpuDevice& device : TestDevices()) {
    for (size_t kind = 0; kind < kBinaryNames.size(); ++kind) {
      Binary op;
      op.kind = static_cast<BinaryKind>(kind);
      for (const DType dtype : {DType::kFloat32, DType::kBFloat16, DType::kInt8, DType::kUInt8, DType::kInt32,
                                DType::kInt64, DType::kBool}) {
        if (!Takes(op.kind, dtype)) continue;
        const double low = op.kind == BinaryKind::kPow ? 0.1 : -4;
        const Tensor x = RandomOperand(dtype, {2, 5, 3, 17}, kind, low),
                     y = RandomOperand(dtype, {5, 1, 17}, kind + 7, low);
        const FamilyCase test{&op, {x, y}, {Layout::kChannelsLast, Layout::kRowMajor}, {Layout::kPitched}, device};
        const Tolerance tolerance = dtype == DType::kBFloat16 ? Tolerance{1.0 / 128, 1e-6} : kFloat32Tolerance;
        ASSERT_NO_FATAL_FAILURE(ExpectFamilyMatches(kFamily, test, tolerance))
            << kBinaryNames[kind] << " " << ToString(dtype);
      }
    }
  }
}

TEST(RegionTest, SpecialFloats) {
  const float inf = INFINITY, nan = NAN;
  const Tensor x =
      Tensor::Of<float>({12}, {0.0f, -0.0f, inf, -inf, nan, 1e-40f, -1e-40f, 100, -100, 88.6f, -87.5f, 3.4e38f});
  const Tensor y = Tensor::Of<float>({12}, {nan, 1, nan, -inf, 1, nan, 0, inf, 3, 2, 1, -1});
  for (const CpuDevice& device : TestDevices()) {
    for (const UnaryKind kind :
         {UnaryKind::kExp, UnaryKind::kSigmoid, UnaryKind::kTanh, UnaryKind::kRelu, UnaryKind::kAbs, UnaryKind::kFloor,
          UnaryKind::kIsNaN, UnaryKind::kIsInf, UnaryKind::kSqrt, UnaryKind::kRound}) {
      Unary op;
      op.kind = kind;
      op.alpha = op.beta = 1;
      ASSERT_NO_FATAL_FAILURE(ExpectFamilyMatches(kFamily, {&op, {x}, {}, {}, device}, kFloat32Tolerance))
          << kUnaryNames[static_cast<size_t>(kind)];
    }
    for (const BinaryKind kind : {BinaryKind::kMin, BinaryKind::kMax, BinaryKind::kLess, BinaryKind::kGreater,
                                  BinaryKind::kEqual, BinaryKind::kLessOrEqual, BinaryKind::kGreaterOrEqual}) {
      Binary op;
      op.kind = kind;
      ASSERT_NO_FATAL_FAILURE(ExpectFamilyMatches(kFamily, {&op, {x, y}, {}, {}, device}, {}))
          << kBinaryNames[static_cast<size_t>(kind)];
    }
  }
}

TEST(RegionTest, CastsBetweenAllTypes) {
  const std::vector<DType> types = {DType::kFloat32, DType::kBFloat16, DType::kFloat16, DType::kInt8,
                                    DType::kUInt8,   DType::kInt32,    DType::kInt64,   DType::kBool};
  for (const DType from : types) {
    for (const DType to : types) {
      Cast op;
      op.to = to;
      // Negative floats don't fit u8: there the result is the compiler's choice.
      const Tensor x = RandomOperand(from, {3, 7, 5}, 5, to == DType::kUInt8 ? 0 : -4);
      ASSERT_NO_FATAL_FAILURE(
          ExpectFamilyMatches(kFamily, {&op, {x}, {Layout::kChannelsLast}, {Layout::kShuffled}}, {}))
          << ToString(from) << " to " << ToString(to);
    }
  }
}

TEST(RegionTest, TailsOfEveryLength) {
  Unary op;
  op.kind = UnaryKind::kSilu;
  for (const CpuDevice& device : TestDevices()) {
    for (const int64_t length : {1, 3, 7, 8, 9, 15, 16, 17, 31, 33, 85, 8400}) {
      for (const Layout in : kLayouts) {
        const FamilyCase test{&op, {RandomOperand(DType::kFloat32, {2, length}, 1)}, {in}, {Layout::kRowMajor}, device};
        ASSERT_NO_FATAL_FAILURE(ExpectFamilyMatches(kFamily, test, kFloat32Tolerance)) << length;
      }
    }
  }
}

// Transposed tiles of every width, both ways; 2 to 4 dense channels have code of their own.
TEST(RegionTest, CopiesBetweenLayouts) {
  Unary op;
  for (const CpuDevice& device : TestDevices()) {
    for (const int64_t channels : {1, 2, 3, 4, 7, 8, 9, 15, 16, 17, 33}) {
      for (const Layout in : kLayouts) {
        for (const Layout out : kLayouts) {
          const FamilyCase test{&op, {RandomOperand(DType::kFloat32, {2, channels, 5, 7}, 1)}, {in}, {out}, device};
          ASSERT_NO_FATAL_FAILURE(ExpectFamilyMatches(kFamily, test, {}))
              << channels << " channels, layouts " << static_cast<int>(in) << " " << static_cast<int>(out);
        }
      }
    }
  }
}

// The same value in another place of a vector, of a row or of a block gives the same bits.
TEST(RegionTest, ResultsDoNotDependOnTheLane) {
  Unary op;
  op.kind = UnaryKind::kSigmoid;
  for (const CpuDevice& device : TestDevices()) {
    Tensor x(DType::kFloat32, {3, 1037});
    std::fill_n(x.data<float>(), x.elems(), 1.2345f);
    const FamilyCase test{&op, {x}, {Layout::kPitched}, {Layout::kRowMajor}, device};
    auto run = MakeRun(test, {x.type()});
    Execute(*kFamily.Create(run->problem, "", device), *run);
    const Tensor y = GatherOperand(run->outputs[0].operand, run->output_addresses[0]);
    for (const float value : y.values<float>()) ASSERT_EQ(value, y.values<float>()[0]);
  }
}

TEST(RegionTest, Where) {
  ExpectRegionInAllLayouts(R"(graph "r" {
    input %x: f32[2,5,3,7]
    input %c: bool[5,1,1]
    const %zero: f32[] = [0]
    %y: f32[2,5,3,7] = Where(%c, %x, %zero)
    %z = Binary(%x, %zero) {kind=less}
    %w = Where(%z, %zero, %x)
    output %y "y"
    output %z "z"
    output %w "w"
  })");
}

TEST(RegionTest, IntegerArithmetic) {
  ExpectRegionInAllLayouts(R"(graph "r" {
    input %x: i64[1,300]
    const %classes: i64[] = [80]
    const %stride: i32[300] = random(3)
    %anchor = Binary(%x, %classes) {kind=div}
    %class = Binary(%x, %classes) {kind=mod}
    %f = Cast(%class) {to=f32}
    %i = Cast(%anchor) {to=i32}
    %s = Binary(%i, %stride) {kind=mul}
    output %f "f"
    output %s "s"
    output %anchor "a"
  })",
                           {});
}

TEST(RegionTest, SmallSoftmaxOverEveryAxis) {
  for (const int axis : {1, 2, 3}) {
    for (const char* log : {"false", "true"}) {
      ExpectRegionInAllLayouts(fmt::format(R"(graph "r" {{
        input %x: f32[2,16,5,7]
        %y = Softmax(%x) {{axis={}, log={}}}
        output %y "y"
      }})",
                                           axis, log),
                               {4e-6, 2e-6});
    }
  }
}

TEST(RegionTest, SmallReductions) {
  for (const char* kind : {"sum", "mean", "max", "min", "prod", "l1", "l2", "sum_square"}) {
    ExpectRegionInAllLayouts(fmt::format(R"(graph "r" {{
      input %x: f32[2,5,3,7]
      const %axes: i64[2] = [1, -2]
      %y = Reduce(%x, %axes) {{kind={}, keep_dims=false}}
      output %y "y"
    }})",
                                         kind),
                             {4e-6, 4e-6});
  }
}

TEST(RegionTest, IndexOps) {
  ExpectRegionInAllLayouts(R"(graph "r" {
    input %x: f32[2,12,5,8]
    const %starts: i64[2] = [10, 1]
    const %ends: i64[2] = [-100, 4]
    const %axes: i64[2] = [1, 2]
    const %steps: i64[2] = [-3, 2]
    const %shape: i64[3] = [2, 8, 8]
    const %wide: i64[5] = [3, 1, 1, 1, 1]
    %s = Slice(%x, %starts, %ends, %axes, %steps)
    %t = Transpose(%s) {perm=[0,2,3,1]}
    %a, %b = Split(%s) {axis=1, num_outputs=2}
    %r = Reshape(%t, %shape)
    %e = Expand(%b, %wide)
    %u = Unary(%e) {kind=neg}
    output %t "t"
    output %a "a"
    output %r "r"
    output %u "u"
  })");
}

// Windows of a Swin block: reshape, transpose, reshape.
TEST(RegionTest, ReshapesThatSplitAndMergeLoops) {
  ExpectRegionInAllLayouts(R"(graph "r" {
    input %x: f32[1,8,12,6]
    const %split: i64[6] = [1, 2, 4, 3, 4, 6]
    const %merge: i64[3] = [6, 16, 6]
    %a = Reshape(%x, %split)
    %b = Transpose(%a) {perm=[0,1,3,2,4,5]}
    %c = Reshape(%b, %merge)
    output %c "c"
  })");
}

TEST(RegionTest, ConcatOverLanesAndRows) {
  ExpectRegionInAllLayouts(R"(graph "r" {
    input %x: f32[2,6,4,5]
    input %y: f32[2,6,2,5]
    input %z: f32[2,3,30]
    const %shape_x: i64[3] = [2, 6, 20]
    const %shape_y: i64[3] = [2, 6, 10]
    %a = Reshape(%x, %shape_x)
    %b = Reshape(%y, %shape_y)
    %c = Concat(%a, %b) {axis=2}
    %s = Unary(%c) {kind=sigmoid}
    %d = Concat(%z, %s, %z) {axis=1}
    output %d "d"
  })");
}

std::string YoloTail(int64_t batch, int64_t anchors, int64_t classes, std::string_view type) {
  return fmt::format(R"(graph "tail" {{
    input %x: {3}[{0},{4},{1}]
    input %anchors: f32[1,2,{1}]
    input %strides: f32[1,{1}]
    const %sizes: i64[2] = [64, {2}]
    const %bins_shape: i64[4] = [{0}, 4, 16, {1}]
    const %box_shape: i64[3] = [{0}, 4, {1}]
    const %bins: f32[1,16,1,1] = [0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15]
    const %half: f32[] = [0.5]
    %box, %cls = Split(%x, %sizes) {{axis=1, num_outputs=2}}
    %b = Reshape(%box, %bins_shape)
    %t = Transpose(%b) {{perm=[0,2,1,3]}}
    %f = Cast(%t) {{to=f32}}
    %p = Softmax(%f) {{axis=1}}
    %d = Conv(%p, %bins) {{strides=[1,1], dilations=[1,1], pads=[0,0,0,0]}}
    %r = Reshape(%d, %box_shape)
    %lt, %rb = Split(%r) {{axis=1, num_outputs=2}}
    %x1y1 = Binary(%anchors, %lt) {{kind=sub}}
    %x2y2 = Binary(%anchors, %rb) {{kind=add}}
    %sum = Binary(%x1y1, %x2y2) {{kind=add}}
    %centre = Binary(%sum, %half) {{kind=mul}}
    %size = Binary(%x2y2, %x1y1) {{kind=sub}}
    %xywh = Concat(%centre, %size) {{axis=1}}
    %scaled = Binary(%xywh, %strides) {{kind=mul}}
    %c = Cast(%cls) {{to=f32}}
    %scores = Unary(%c) {{kind=sigmoid}}
    %y = Concat(%scaled, %scores) {{axis=1}}
    output %y "output0"
  }})",
                     batch, anchors, classes, type, 64 + classes);
}

// The sum of 16 products of up to 15 times softmax, times strides up to 1 here.
const Tolerance kTailTolerance{4e-6, 1e-5};

TEST(RegionTest, YoloTail) {
  for (const char* type : {"f32", "bf16"}) {
    for (const int64_t anchors : {1, 21, 84, 525}) {
      for (const Layout in : {Layout::kChannelsLast, Layout::kPitched, Layout::kRowMajor}) {
        ExpectRegion(YoloTail(2, anchors, 80, type), kTailTolerance, {in, Layout::kRowMajor}, {Layout::kRowMajor});
      }
    }
  }
  ExpectRegion(YoloTail(1, 8400, 80, "f32"), kTailTolerance, {Layout::kChannelsLast, Layout::kRowMajor},
               {Layout::kRowMajor});
  ExpectRegion(YoloTail(1, 84, 1, "f32"), kTailTolerance, {Layout::kChannelsLast, Layout::kRowMajor},
               {Layout::kChannelsLast});
}

TEST(RegionTest, WorkItemsDoNotDependOnTheThreadCount) {
  const Region region = MakeRegion(YoloTail(1, 8400, 80, "f32"));
  FamilyCase test{&region, RandomInputs(*region.body), {Layout::kChannelsLast, Layout::kRowMajor}, {}};
  const auto run = MakeRun(test, {region.body->outputs()[0]->type()});
  test.device.threads = 1;
  const int64_t items = kFamily.Create(run->problem, "", test.device)->work_items();
  test.device.threads = 64;
  EXPECT_EQ(kFamily.Create(run->problem, "", test.device)->work_items(), items);
  EXPECT_GE(items, 4);
}

TEST(RegionTest, ReasonsForWhatIsNotSupported) {
  const auto reason = [](std::string_view text) {
    const Region region = MakeRegion(text);
    FamilyCase test{&region, RandomInputs(*region.body)};
    std::vector<TensorType> types;
    for (const Value* output : region.body->outputs()) types.push_back(output->type());
    return kFamily.Supports(MakeRun(test, types)->problem, test.device);
  };
  EXPECT_EQ(reason(R"(graph "r" { input %x: f32[2,65] %y = Softmax(%x) {axis=1} output %y "y" })"),
            "Softmax over 65 elements");
  EXPECT_EQ(reason(R"(graph "r" { input %x: f64[2] %y = Unary(%x) {kind=neg} output %y "y" })"), "f64 value y");
  EXPECT_NE(reason(R"(graph "r" { input %x: f32[2,65] %y = Reduce(%x) output %y "y" })"), "");
}

TEST(RegionTest, EmptyOutputsNeedNoWork) {
  Unary op;
  op.kind = UnaryKind::kExp;
  ExpectFamilyMatches(kFamily, {&op, {Tensor(DType::kFloat32, {2, 0, 3})}}, {});
}

}  // namespace
}  // namespace tenon::strided
