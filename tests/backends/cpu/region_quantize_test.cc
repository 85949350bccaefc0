#include <limits>

#include "backends/cpu/region_family.h"
#include "ir/text.h"
#include "ops/op_list.h"
#include "ops/quantize.h"
#include "ops/region.h"
#include "strided_harness.h"

namespace tenon::strided {
namespace {

const RegionFamily kFamily;
const std::vector<Layout> kLayouts = {Layout::kRowMajor, Layout::kChannelsLast, Layout::kPitched, Layout::kShuffled};

void ExpectInAllLayouts(std::string_view text, const std::vector<Tensor>& inputs = {}) {
  Region region;
  region.body = Parse(text, MakeOp);
  std::vector<Tensor> operands = inputs;
  uint64_t seed = 1;
  for (const Value* input : region.body->inputs()) {
    if (inputs.empty()) operands.push_back(RandomOperand(input->dtype(), input->shape(), seed++));
  }
  for (const CpuDevice& device : TestDevices()) {
    for (const Layout in : kLayouts) {
      for (const Layout out : kLayouts) {
        const FamilyCase test{&region, operands, {in, in}, {out}, device};
        ASSERT_NO_FATAL_FAILURE(ExpectFamilyMatches(kFamily, test, {}))
            << device.features.ToString() << " layouts " << static_cast<int>(in) << " " << static_cast<int>(out);
      }
    }
  }
}

// Scales are powers of two here: products are exact, and a fused multiply-add rounds like its two parts.
TEST(RegionQuantizeTest, QuantizesToBytes) {
  for (const int channels : {1, 3, 4, 17}) {
    for (const char* type : {"u8", "i8"}) {
      ExpectInAllLayouts(fmt::format(R"(graph "r" {{
        input %x: f32[2,{0},5,19]
        const %scale: f32[] = [0.03125]
        const %zero: {1}[] = [100]
        %y = QuantizeLinear(%x, %scale, %zero) {{to={1}}}
        output %y "y"
      }})",
                                     channels, type));
    }
  }
}

TEST(RegionQuantizeTest, DequantizesAndRequantizes) {
  ExpectInAllLayouts(R"(graph "r" {
    input %x: u8[2,18,5,7]
    input %r: f32[2,18,5,7]
    const %from: f32[1] = [0.25]
    const %from_zero: u8[1] = [13]
    const %to: f32[] = [0.5]
    const %to_zero: u8[] = [3]
    %a = DequantizeLinear(%x, %from, %from_zero)
    %b = Binary(%a, %r) {kind=add}
    %c = QuantizeLinear(%b, %to, %to_zero) {to=u8}
    %d = DequantizeLinear(%c, %to, %to_zero)
    output %c "c"
    output %d "d"
  })");
}

TEST(RegionQuantizeTest, ScalesAlongAnAxis) {
  ExpectInAllLayouts(R"(graph "r" {
    input %x: i8[2,3,5,7]
    const %from: f32[3] = [0.25, 0.5, 2]
    const %from_zero: i8[3] = [0, 4, -7]
    const %to: f32[7] = [1, 2, 4, 1, 2, 4, 8]
    const %to_zero: u8[7] = [0, 1, 2, 3, 4, 255, 128]
    %a = DequantizeLinear(%x, %from, %from_zero) {axis=1}
    %c = QuantizeLinear(%a, %to, %to_zero) {to=u8, axis=-1}
    output %c "c"
  })");
}

TEST(RegionQuantizeTest, BytesAreMovedAsTheyAre) {
  ExpectInAllLayouts(R"(graph "r" {
    input %x: u8[2,18,5,7]
    input %y: u8[2,5,5,7]
    %c = Concat(%x, %y) {axis=1}
    output %c "c"
  })");
}

TEST(RegionQuantizeTest, TiesAndSpecialFloats) {
  const float infinity = std::numeric_limits<float>::infinity();
  std::vector<float> values = {NAN, infinity, -infinity, 1e30f, -1e30f, 0.0f, -0.0f, 0.5f, 1.5f, 2.5f, -0.5f, -1.5f};
  for (float v = -300; v < 300; v += 0.25f) values.push_back(v);
  const auto count = static_cast<int64_t>(values.size());
  for (const char* type : {"u8", "i8"}) {
    ExpectInAllLayouts(fmt::format(R"(graph "r" {{
      input %x: f32[1,1,1,{0}]
      const %scale: f32[] = [1]
      const %zero: {1}[] = [1]
      %y = QuantizeLinear(%x, %scale, %zero) {{to={1}}}
      output %y "y"
    }})",
                                   count, type),
                       {Tensor::Of<float>({1, 1, 1, count}, values)});
  }
}

// A step of its own has its constants as operands.
TEST(RegionQuantizeTest, SingleOps) {
  QuantizeLinear quantize;
  quantize.to = DType::kUInt8;
  const Tensor scale = Tensor::Of<float>({}, {0.25f}), zero = Tensor::Of<uint8_t>({}, {7});
  DequantizeLinear dequantize;
  for (const CpuDevice& device : TestDevices()) {
    const FamilyCase to_bytes{&quantize,
                              {RandomOperand(DType::kFloat32, {2, 5, 4, 9}, 1), scale, zero},
                              {Layout::kChannelsLast},
                              {Layout::kPitched},
                              device};
    ExpectFamilyMatches(kFamily, to_bytes, {});
    const FamilyCase from_bytes{&dequantize,
                                {RandomOperand(DType::kUInt8, {2, 5, 4, 9}, 1), scale, zero},
                                {Layout::kChannelsLast},
                                {Layout::kPitched},
                                device};
    ExpectFamilyMatches(kFamily, from_bytes, {});
  }
}

}  // namespace
}  // namespace tenon::strided
