#include "passes/fuse_pools.h"

#include <gtest/gtest.h>

#include "pass_testing.h"

namespace tenon {
namespace {

const PassContext kJoins{.joins_pools = true};

/// SPPF: pools that feed one another, joined with what they began with.
std::string Net(const std::string& second = "kernel=[5,5], strides=[1,1], pads=[2,2,2,2]") {
  return R"(graph "g" {
    input %x: f32[1,4,7,9]
    %a, _ = Pool(%x) {kernel=[5,5], strides=[1,1], pads=[2,2,2,2]}
    %b, _ = Pool(%a) {)" +
         second + R"(}
    %c, _ = Pool(%b) {kernel=[5,5], strides=[1,1], pads=[2,2,2,2]}
    %y = Concat(%x, %a, %b, %c) {axis=1}
    output %y "y"
  })";
}

TEST(FusePoolsTest, PoolsThatFeedOneAnotherBecomeStages) {
  ExpectRewrite(FusePools, Net(), R"(graph "g" {
    input %x: f32[1,4,7,9]
    %a, _, %b, %c = Pool(%x) {kernel=[5,5], strides=[1,1], pads=[2,2,2,2], stages=3}
    %y = Concat(%x, %a, %b, %c) {axis=1}
    output %y "y"
  })",
                0, kJoins);
}

TEST(FusePoolsTest, StagesMayBeOutputsAndOnesThatNobodyElseReads) {
  ExpectRewrite(FusePools, R"(graph "g" {
    input %x: f32[1,4,7]
    %a, _ = Pool(%x) {kernel=[3], pads=[1,1]}
    %b, _ = Pool(%a) {kernel=[3], pads=[1,1]}
    output %b "b"
  })",
                R"(graph "g" {
    input %x: f32[1,4,7]
    %a, _, %b = Pool(%x) {kernel=[3], pads=[1,1], stages=2}
    output %b "b"
  })",
                0, kJoins);
}

TEST(FusePoolsTest, LeavesOthersAlone) {
  ExpectUnchanged(FusePools, Net());  // a device that has them one by one
  // Each of these in the middle leaves no two alike.
  ExpectUnchanged(FusePools, Net("kernel=[3,3], strides=[1,1], pads=[1,1,1,1]"), kJoins);
  ExpectUnchanged(FusePools, Net("kernel=[5,5], strides=[1,1], dilations=[2,1], pads=[4,2,4,2]"), kJoins);
  ExpectUnchanged(FusePools, R"(graph "smaller" {
    input %x: f32[1,4,7,9]
    %a, _ = Pool(%x) {kernel=[2,2]}
    %b, _ = Pool(%a) {kernel=[2,2]}
    output %b "b"
  })",
                  kJoins);
  ExpectUnchanged(FusePools, R"(graph "average" {
    input %x: f32[1,4,7,9]
    %a = Pool(%x) {kind=average, kernel=[3,3], pads=[1,1,1,1]}
    %b = Pool(%a) {kind=average, kernel=[3,3], pads=[1,1,1,1]}
    output %b "b"
  })",
                  kJoins);
  ExpectUnchanged(FusePools, R"(graph "indices" {
    input %x: f32[1,4,7,9]
    %a, _ = Pool(%x) {kernel=[3,3], pads=[1,1,1,1]}
    %b, %i = Pool(%a) {kernel=[3,3], pads=[1,1,1,1]}
    output %b "b"
    output %i "i"
  })",
                  kJoins);
}

}  // namespace
}  // namespace tenon
