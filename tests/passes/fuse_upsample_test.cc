#include "passes/fuse_upsample.h"

#include <gtest/gtest.h>

#include "pass_testing.h"

namespace tenon {
namespace {

std::string Net(const std::string& resize, const std::string& groups = "1",
                const std::string& weights = "f32[4,4,3,3]") {
  return R"(graph "g" {
    input %x: f32[1,4,3,5]
    const %w: )" +
         weights + R"( = random(1)
    const %scales: f32[4] = [1, 1, 2, 2]
    %y = Conv(%x, %w) {strides=[1,1], dilations=[1,1], pads=[1,1,1,1], groups=)" +
         groups + R"(, activation=silu}
    %u = Resize(%y, _, %scales) )" +
         resize + R"(
    %a = Unary(%y) {kind=exp}
    %b = Unary(%u) {kind=neg}
    output %a "a"
    output %b "b"
  })";
}

constexpr const char* kFused = R"(graph "g" {
  input %x: f32[1,4,3,5]
  const %w: f32[4,4,3,3] = random(1)
  %y, %u = Conv(%x, %w) {strides=[1,1], dilations=[1,1], pads=[1,1,1,1], upsample=2, activation=silu}
  %a = Unary(%y) {kind=exp}
  %b = Unary(%u) {kind=neg}
  output %a "a"
  output %b "b"
})";

TEST(FuseUpsampleTest, FiresWhateverTheCoordinatesAreCalled) {
  ExpectRewrite(FuseUpsample, Net("{mode=nearest, coordinates=asymmetric, nearest=floor}"), kFused);
  ExpectRewrite(FuseUpsample, Net("{mode=nearest}"), kFused);  // half_pixel, round_prefer_floor
}

TEST(FuseUpsampleTest, LeavesOtherResizesAlone) {
  ExpectUnchanged(FuseUpsample, Net("{mode=linear}"));
  ExpectUnchanged(FuseUpsample, Net("{mode=nearest, coordinates=asymmetric, nearest=ceil}"));  // shifted by a pixel
  ExpectUnchanged(FuseUpsample, Net("{mode=nearest}", "4", "f32[4,1,3,3]"));  // depthwise kernels don't
  ExpectUnchanged(FuseUpsample, R"(graph "scale3" {
    input %x: f32[1,4,3,5]
    const %w: f32[4,4,1,1] = random(1)
    const %scales: f32[4] = [1, 1, 3, 3]
    %y = Conv(%x, %w) {strides=[1,1], dilations=[1,1], pads=[0,0,0,0]}
    %u = Resize(%y, _, %scales) {mode=nearest}
    %b = Unary(%u) {kind=neg}
    output %b "b"
  })");
  ExpectUnchanged(FuseUpsample, R"(graph "output" {
    input %x: f32[1,4,3,5]
    const %w: f32[4,4,1,1] = random(1)
    const %scales: f32[4] = [1, 1, 2, 2]
    %y = Conv(%x, %w) {strides=[1,1], dilations=[1,1], pads=[0,0,0,0]}
    %u = Resize(%y, _, %scales) {mode=nearest}
    output %u "u"
  })");
}

}  // namespace
}  // namespace tenon
