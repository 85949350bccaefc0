#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/error.h"
#include "base/file.h"
#include "passes/dead_code.h"
#include "passes/pass_list.h"
#include "passes/pass_runner.h"
#include "passes/pass_testing.h"
#include "passes/remove_no_ops.h"
#include "passes/rewrite.h"

namespace tenon {
namespace {

using testing::HasSubstr;

const char* const kText =
    R"(graph "g" { input %x: f32[2] %a = Unary(%x) {kind=identity} %y = Unary(%a) {kind=relu} output %y "y" })";

bool NeverRests(Graph&, const PassContext&) { return true; }
bool ChangesNothing(Graph&, const PassContext&) { return false; }
/// Leaves a type that isn't the one inferred.
bool Breaks(Graph& graph, const PassContext&) {
  graph.nodes().front()->output()->set_type({DType::kFloat32, Shape{3}});
  return true;
}

/// The error that running the group throws.
Error ErrorOf(const PassGroup& group, const PassRunnerOptions& options = {}) {
  const auto graph = ParseGraph(kText);
  try {
    RunPassGroups(*graph, {}, {group}, options);
  } catch (const Error& error) {
    return error;
  }
  return Error(ErrorCode::kInternal, "nothing was thrown");
}

TEST(PassRunner, ReportsEachRun) {
  const auto graph = ParseGraph(kText);
  const auto timings = RunPassGroups(
      *graph, {},
      {{"g", PassGroup::Repeat::kToFixedPoint, {{"remove_no_ops", RemoveNoOps}, {"nothing", ChangesNothing}}}});
  ASSERT_EQ(timings.size(), 4u);  // the second round finds nothing
  EXPECT_EQ(timings[0].pass, "remove_no_ops");
  EXPECT_TRUE(timings[0].changed);
  EXPECT_FALSE(timings[1].changed);
  EXPECT_FALSE(timings[2].changed);
  EXPECT_GE(timings[0].seconds, 0);
  EXPECT_EQ(graph->nodes().size(), 1u);
}

TEST(PassRunner, LeavesDisabledPassesOut) {
  const auto graph = ParseGraph(kText);
  const PassGroup group{"g", PassGroup::Repeat::kOnce, {{"remove_no_ops", RemoveNoOps}}};
  EXPECT_TRUE(RunPassGroups(*graph, {}, {group}, {.disabled = {"remove_no_ops"}}).empty());
  EXPECT_EQ(graph->nodes().size(), 2u);
  const Error error = ErrorOf(group, {.disabled = {"no_such_pass"}});
  EXPECT_EQ(error.code(), ErrorCode::kInvalidInput);
  EXPECT_THAT(error.what(), HasSubstr("no_such_pass"));
}

TEST(PassRunner, NamesThePassThatBrokeTheGraph) {
  const Error error = ErrorOf({"g", PassGroup::Repeat::kOnce, {{"nothing", ChangesNothing}, {"breaks", Breaks}}});
  EXPECT_EQ(error.code(), ErrorCode::kInternal);
  EXPECT_THAT(error.what(), HasSubstr("after pass breaks"));
}

TEST(PassRunner, StopsAGroupThatDoesNotRest) {
  const Error error = ErrorOf({"restless", PassGroup::Repeat::kToFixedPoint, {{"never", NeverRests}}});
  EXPECT_EQ(error.code(), ErrorCode::kInternal);
  EXPECT_THAT(error.what(), HasSubstr("restless"));
}

TEST(PassRunner, DumpsTheGraphAfterEachChange) {
  const std::string folder = testing::TempDir() + "/tenon_dump_ir";
  std::filesystem::remove_all(folder);
  const auto graph = ParseGraph(kText);
  RunPassGroups(*graph, {},
                {{"g", PassGroup::Repeat::kOnce, {{"nothing", ChangesNothing}, {"remove_no_ops", RemoveNoOps}}}},
                {.dump_dir = folder});
  EXPECT_THAT(ReadTextFile(folder + "/00-source.txt"), HasSubstr("Unary(%a)"));
  EXPECT_THAT(ReadTextFile(folder + "/01-remove_no_ops.txt"), testing::Not(HasSubstr("Unary(%a)")));
  EXPECT_FALSE(std::filesystem::exists(folder + "/02-nothing.txt"));
  std::filesystem::remove_all(folder);
  EXPECT_EQ(ErrorOf({"g", PassGroup::Repeat::kOnce, {}}, {.dump_dir = "/dev/null/x"}).code(), ErrorCode::kInvalidInput);
}

TEST(PassList, NamesEachPassWithOneFunction) {
  std::map<std::string_view, bool (*)(Graph&, const PassContext&)> functions;
  for (const PassGroup& group : MakePassList()) {
    for (const Pass& pass : group.passes)
      EXPECT_EQ(functions.emplace(pass.name, pass.run).first->second, pass.run) << pass.name;
  }
  EXPECT_GE(functions.size(), 15u);
}

TEST(Rewrite, ErasesOnlyWhatNobodyReads) {
  const auto graph = ParseGraph(
      R"(graph "g" { input %x: f32[2] %a = Unary(%x) {kind=exp} sources ["a"] %b = Unary(%a) {kind=neg} sources ["b"]
    %c = Unary(%b) {kind=abs} sources ["c"] %d = Unary(%a) {kind=sqrt} sources ["d"] output %d "d" })");
  Node* c = graph->NodeList()[2];
  Node* d = graph->NodeList()[3];
  EraseDeadChain(*graph, c, d);
  Verify(*graph);
  EXPECT_EQ(graph->nodes().size(), 2u);  // %a is still read
  EXPECT_EQ(d->sources(), (std::vector<std::string>{"d", "c", "b"}));
}

TEST(Rewrite, ErasesAChainThatNobodyReadsWhole) {
  // %c forwards to %b, which dies with it: nothing may inherit from the dead.
  const auto graph = ParseGraph(R"(graph "g" { input %x: f32[2] %a = Unary(%x) {kind=exp} %b = Binary(%a, %x)
    %c = Unary(%b) {kind=identity} %y = Unary(%x) {kind=neg} output %y "y" })");
  EXPECT_TRUE(RemoveNoOps(*graph, {}));
  Verify(*graph);
  EXPECT_EQ(graph->nodes().size(), 1u);
}

TEST(SortNodes, RestoresTheOrder) {
  const auto graph = ParseGraph(
      R"(graph "g" { input %x: f32[2] %a = Unary(%x) {kind=exp} %b = Unary(%x) {kind=neg} %c = Unary(%b) {kind=abs} output %a "a" output %c "c" })");
  graph->SetInput(graph->NodeList()[0], 0, graph->NodeList()[2]->output());  // %a now reads %c
  EXPECT_THROW(Verify(*graph), Error);
  graph->SortNodes();
  Verify(*graph);
  EXPECT_EQ(graph->NodeList().back()->output()->name(), "a");
  graph->SetInput(graph->NodeList()[0], 0, graph->NodeList().back()->output());  // a cycle
  EXPECT_THROW(graph->SortNodes(), Error);
}

}  // namespace
}  // namespace tenon
