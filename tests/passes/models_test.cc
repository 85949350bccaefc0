#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <map>

#include "onnx/importer.h"
#include "ops/conv.h"
#include "passes/pass_runner.h"
#include "passes/pass_testing.h"

namespace tenon {
namespace {

/// The folder of real models; empty where there is none.
std::filesystem::path ModelFolder() {
  const char* shared = std::getenv("TENON_SHARED");
  const std::filesystem::path folder =
      (shared ? std::filesystem::path(shared) : std::filesystem::path(TENON_SOURCE_DIR) / "../shared") /
      "fixtures/models";
  return std::filesystem::exists(folder) ? folder : std::filesystem::path();
}

std::map<std::string, int> CountOps(const Graph& graph) {
  std::map<std::string, int> counts;
  for (const auto& node : graph.nodes()) ++counts[std::string(node->op().name())];
  return counts;
}

/// Nodes that are more than a view of their operands.
int CountComputeNodes(const Graph& graph) {
  int count = 0;
  for (const auto& [op, n] : CountOps(graph)) {
    const bool is_view =
        op == "Concat" || op == "Split" || op == "Slice" || op == "Reshape" || op == "Transpose" || op == "Expand";
    if (!is_view) count += n;
  }
  return count;
}

std::unique_ptr<Graph> ImportModel(const std::string& name) { return ImportOnnx((ModelFolder() / name).string()); }

#define REQUIRE_MODEL(name)                                                      \
  if (ModelFolder().empty() || !std::filesystem::exists(ModelFolder() / (name))) \
  GTEST_SKIP() << "needs fixtures/models/" << (name)

TEST(Models, AllVerifyAfterAllPasses) {
  if (ModelFolder().empty()) GTEST_SKIP() << "needs fixtures/models";
  for (const auto& entry : std::filesystem::directory_iterator(ModelFolder())) {
    SCOPED_TRACE(entry.path().string());
    for (const Precision precision : {Precision::kFp32, Precision::kHalf}) {
      const auto graph = ImportOnnx(entry.path().string());
      PassReport report;
      RunPasses(*graph, {.precision = precision, .report = &report});
      Verify(*graph);
      std::string counts;
      for (const auto& [op, n] : CountOps(*graph)) counts += fmt::format(" {} {}", op, n);
      std::printf("%s %s:%s\n", entry.path().filename().c_str(), precision == Precision::kHalf ? "half" : "fp32",
                  counts.c_str());
    }
  }
}

TEST(Models, Yolov8nIsAFewKernels) {
  REQUIRE_MODEL("yolov8n.onnx");
  for (const Precision precision : {Precision::kFp32, Precision::kHalf}) {
    const auto graph = ImportModel("yolov8n.onnx");
    PassReport report;
    RunPasses(*graph, {.precision = precision, .report = &report});
    auto counts = CountOps(*graph);
    EXPECT_LE(CountComputeNodes(*graph), 70);
    EXPECT_EQ(counts["Conv"], 60);  // 63 and the DFL's; three pairs of head convolutions merge
    EXPECT_EQ(counts["Region"], 1);
    EXPECT_EQ(counts["Unary"] + counts["Binary"] + counts["Softmax"] + counts["Cast"], 0);
    EXPECT_EQ(report.kept_in_fp32.size(), precision == Precision::kHalf ? 1u : 0u);
  }
}

TEST(Models, EveryConvolutionComputesInHalf) {
  REQUIRE_MODEL("yolo11n.onnx");
  const auto graph = ImportModel("yolo11n.onnx");
  RunPasses(*graph, {.precision = Precision::kHalf});
  int in_fp32 = 0;
  for (const auto& node : graph->nodes()) {
    const auto* conv = node->As<Conv>();
    in_fp32 += conv && conv->epilogue.compute == DType::kFloat32;
  }
  EXPECT_EQ(in_fp32, 1);  // the one that reads the image
  EXPECT_EQ(CountOps(*graph)["Attention"], 1);
}

TEST(Models, SourcesAreCovered) {
  REQUIRE_MODEL("yolov8n.onnx");
  const auto graph = ImportModel("yolov8n.onnx");
  std::set<std::string> arithmetic, covered;
  for (const auto& node : graph->nodes()) {
    if (node->op().op_class() != OpClass::kIndex) arithmetic.insert(node->sources().begin(), node->sources().end());
  }
  RunPasses(*graph, {});
  for (const auto& node : graph->nodes()) covered.insert(node->sources().begin(), node->sources().end());
  ASSERT_FALSE(arithmetic.empty());
  for (const std::string& source : arithmetic) EXPECT_TRUE(covered.contains(source)) << source;
}

TEST(Models, ResultsStay) {
  REQUIRE_MODEL("nanodet_m_320.onnx");
  const auto graph = ImportModel("nanodet_m_320.onnx");
  const auto original = graph->Clone();
  RunPasses(*graph, {});
  ExpectSameResults(*original, *graph, 1e-5);
}

}  // namespace
}  // namespace tenon
