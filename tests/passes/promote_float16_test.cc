#include "passes/promote_float16.h"

#include <gtest/gtest.h>

#include "pass_testing.h"

namespace tenon {
namespace {

TEST(PromoteFloat16Test, ComputesInFloat32BetweenTheGraphsOwnTypes) {
  ExpectRewrite(PromoteFloat16,
                R"(graph "g" {
    input %x: f16[1,2,3,3]
    const %w: f16[4,2,1,1] = splat(0.5)
    %y = Conv(%x, %w) {strides=[1,1], dilations=[1,1], pads=[0,0,0,0], compute=f16, out=f16}
    output %y "y"
  })",
                R"(graph "g" {
    input %x: f16[1,2,3,3]
    const %w: f32[4,2,1,1] = splat(0.5)
    %a = Cast(%x) {to=f32}
    %y = Conv(%a, %w) {strides=[1,1], dilations=[1,1], pads=[0,0,0,0]}
    %b = Cast(%y) {to=f16}
    output %b "y"
  })",
                2e-3);
}

TEST(PromoteFloat16Test, ImagesInFloat32NeedNoRounding) {
  ExpectRewrite(PromoteFloat16,
                R"(graph "g" {
    input %x: f32[4]
    const %w: f16[4] = [1, 2, 3, 4]
    %h = Cast(%x) {to=f16}
    %y = Binary(%h, %w) {kind=mul}
    %z = Cast(%y) {to=f32}
    output %z "z"
  })",
                R"(graph "g" {
    input %x: f32[4]
    const %w: f32[4] = [1, 2, 3, 4]
    %h = Cast(%x)
    %y = Binary(%h, %w) {kind=mul}
    %z = Cast(%y)
    output %z "z"
  })",
                2e-3);
}

TEST(PromoteFloat16Test, LeavesOtherTypesAlone) {
  ExpectUnchanged(PromoteFloat16, R"(graph "g" {
    input %x: f32[4]
    const %w: bf16[4] = [1, 2, 3, 4]
    %h = Cast(%x) {to=bf16}
    %y = Binary(%h, %w) {kind=mul}
    output %y "y"
  })");
}

}  // namespace
}  // namespace tenon
