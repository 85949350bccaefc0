#include "compile/views.h"

#include <gtest/gtest.h>

#include "ir/text.h"
#include "ops/evaluate.h"
#include "ops/op_list.h"
#include "ops/pointwise.h"

namespace tenon {
namespace {

std::unique_ptr<Graph> Make(const char* text) {
  auto graph = Parse(text, &MakeOp);
  Verify(*graph);
  return graph;
}

int Copies(const Graph& graph) {
  int copies = 0;
  for (const auto& node : graph.nodes()) {
    const auto* unary = node->As<Unary>();
    copies += unary && unary->kind == UnaryKind::kIdentity;
  }
  return copies;
}

TEST(ReshapeStridesTest, MergesAndSplitsWhatContinuesInMemory) {
  // NHWC image seen as N, C, H*W.
  const std::vector<int64_t> nhwc = {4 * 6 * 8, 1, 6 * 8, 8};
  EXPECT_EQ(ReshapeStrides({2, 8, 4, 6}, nhwc, {2, 8, 24}), (std::vector<int64_t>{192, 1, 8}));
  // The channels split into groups.
  EXPECT_EQ(ReshapeStrides({2, 8, 24}, {192, 1, 8}, {2, 2, 4, 24}), (std::vector<int64_t>{192, 4, 1, 8}));
  // C and H don't follow each other in NHWC memory.
  EXPECT_EQ(ReshapeStrides({2, 8, 4, 6}, nhwc, {2, 32, 6}), std::nullopt);
  // Dimensions of 1 come and go.
  EXPECT_EQ(ReshapeStrides({1, 8, 1}, {8, 1, 5}, {8}), (std::vector<int64_t>{1}));
  EXPECT_EQ(ReshapeStrides({}, {}, {1, 1}), (std::vector<int64_t>{0, 0}));
}

constexpr const char* kC2f = R"(graph "c2f" {
  input %x: f32[1,16,6,6]
  const %w0: f32[32,16,1,1] = random(1)
  const %w1: f32[16,16,3,3] = random(2)
  const %w2: f32[8,48,1,1] = random(3)
  %a = Conv(%x, %w0) {strides=[1,1], dilations=[1,1], pads=[0,0,0,0]}
  %first, %second = Split(%a) {axis=1, num_outputs=2}
  %b = Conv(%second, %w1) {strides=[1,1], dilations=[1,1], pads=[1,1,1,1]}
  %joined = Concat(%a, %b) {axis=1}
  %y = Conv(%joined, %w2) {strides=[1,1], dilations=[1,1], pads=[0,0,0,0]}
  %flat_shape_out = Unary(%y) {kind=relu}
  output %flat_shape_out "y"
})";

TEST(PlanViewsTest, ConcatAndSplitCostNothing) {
  const auto graph = Make(kC2f);
  const ViewPlan plan = PlanViews(*graph);
  const auto place = [&](const char* name) {
    for (const auto& node : graph->nodes()) {
      for (const Value* output : node->outputs()) {
        if (output && output->name() == name) return plan.placements.at(output);
      }
    }
    return Place();
  };
  const Place joined = place("joined"), a = place("a"), second = place("second"), b = place("b");
  EXPECT_EQ(a.storage, joined.storage);
  EXPECT_EQ(b.storage, joined.storage);
  EXPECT_EQ(joined.strides_bytes, (std::vector<int64_t>{6 * 6 * 48 * 4, 4, 6 * 48 * 4, 48 * 4}));
  EXPECT_EQ(second.offset_bytes, 16 * 4);
  EXPECT_EQ(b.offset_bytes, 32 * 4);
  EXPECT_EQ(plan.free_nodes.size(), 2u);
}

TEST(PlanViewsTest, OneValueInTwoConcatsIsCopiedOnce) {
  const auto graph = Make(R"(graph "two" {
    input %x: f32[1,4,2,2]
    %a = Unary(%x) {kind=relu}
    %b = Unary(%x) {kind=exp}
    %c = Concat(%a, %b) {axis=1}
    %d = Concat(%b, %a) {axis=1}
    %e = Binary(%c, %d) {kind=add}
    output %e "e"
  })");
  const ViewPlan plan = PlanViews(*graph);
  EXPECT_EQ(plan.copies_inserted, 2);
  EXPECT_EQ(Copies(*graph), 2);
  Verify(*graph);
}

TEST(PlanViewsTest, GraphOutputsOwnTheirMemory) {
  const auto graph = Make(R"(graph "outputs" {
    input %x: f32[2,8]
    const %shape: i64[1] = [16]
    %a = Unary(%x) {kind=relu}
    %first, %second = Split(%a) {axis=1, num_outputs=2}
    %flat = Reshape(%a, %shape)
    output %first "first"
    output %second "second"
    output %flat "flat"
    output %x "x"
  })");
  const ViewPlan plan = PlanViews(*graph);
  Verify(*graph);
  std::set<int> storages;
  for (size_t i = 0; i < graph->outputs().size(); ++i) {
    const Place& place = plan.placements.at(graph->outputs()[i]);
    EXPECT_EQ(plan.storages[place.storage].kind, Storage::Kind::kOutput);
    EXPECT_EQ(plan.storages[place.storage].index, static_cast<int>(i));
    EXPECT_EQ(place.offset_bytes, 0);
    storages.insert(place.storage);
  }
  EXPECT_EQ(storages.size(), 4u);
  EXPECT_EQ(plan.copies_inserted, 3);  // first, second, x
}

TEST(PlanViewsTest, HeadTailIsAViewOfTheConvolutions) {
  // Two scales of a detection head: reshape to rows and concat along them cost nothing.
  const auto graph = Make(R"(graph "head" {
    input %x: f32[1,8,4,4]
    input %z: f32[1,8,2,2]
    const %w0: f32[6,8,1,1] = random(1)
    const %w1: f32[6,8,1,1] = random(2)
    const %s: i64[3] = [1, 6, -1]
    %a = Conv(%x, %w0) {strides=[1,1], dilations=[1,1], pads=[0,0,0,0]}
    %b = Conv(%z, %w1) {strides=[1,1], dilations=[1,1], pads=[0,0,0,0]}
    %ra = Reshape(%a, %s)
    %rb = Reshape(%b, %s)
    %all = Concat(%ra, %rb) {axis=2}
    %boxes, %scores = Split(%all) {axis=1, num_outputs=2}
    %p = Unary(%scores) {kind=sigmoid}
    output %p "p"
  })");
  const ViewPlan plan = PlanViews(*graph);
  EXPECT_EQ(plan.copies_inserted, 0);
  const Value* scores = graph->nodes().back()->input(0);
  const Place& place = plan.placements.at(scores);
  EXPECT_EQ(place.strides_bytes, (std::vector<int64_t>{20 * 6 * 4, 4, 24}));
  EXPECT_EQ(place.offset_bytes, 12);
}

TEST(PlanViewsTest, AConvolutionThatIsAnOutputIsCopiedToRowMajor) {
  const auto graph = Make(R"(graph "proto" {
    input %x: f32[1,8,4,4]
    const %w: f32[6,8,1,1] = random(1)
    %a = Conv(%x, %w) {strides=[1,1], dilations=[1,1], pads=[0,0,0,0]}
    output %a "a"
  })");
  EXPECT_EQ(PlanViews(*graph).copies_inserted, 1);
}

}  // namespace
}  // namespace tenon
