// Engines that are not their source, through the program itself: the matrix must fail, whatever the digests say.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "backends/cpu/cpu_device.h"
#include "base/file.h"
#include "compile/compiler.h"
#include "engine/engine_file.h"
#include "onnx/importer.h"
#include "onnx/proto.h"
#include "passes/pass_runner.h"
#include "verify/checks.h"

namespace tenon {
namespace {

namespace fs = std::filesystem;
using ::testing::Contains;
using ::testing::UnorderedElementsAre;

const std::string kExample = TENON_SOURCE_DIR "/examples/forklift/";
const std::string kOnnx = kExample + "forklift.onnx";

onnx::ModelProto ExampleProto() {
  onnx::ModelProto proto;
  EXPECT_TRUE(proto.ParseFromString(ReadTextFile(kOnnx)));
  return proto;
}

/// The model with the weights of its convolution number `which` times `factor`.
std::string Scaled(size_t which, float factor) {
  onnx::ModelProto proto = ExampleProto();
  std::vector<std::string> weights;
  for (const auto& node : proto.graph().node()) {
    if (node.op_type() == "Conv") weights.push_back(node.input(1));
  }
  for (auto& tensor : *proto.mutable_graph()->mutable_initializer()) {
    if (tensor.name() != weights.at(which)) continue;
    std::string& raw = *tensor.mutable_raw_data();
    std::vector<float> values(raw.size() / sizeof(float));
    std::memcpy(values.data(), raw.data(), raw.size());
    for (float& value : values) value *= factor;
    std::memcpy(raw.data(), values.data(), raw.size());
  }
  return proto.SerializeAsString();
}

size_t ConvCount() {
  const onnx::ModelProto proto = ExampleProto();
  return static_cast<size_t>(std::count_if(proto.graph().node().begin(), proto.graph().node().end(),
                                           [](const auto& node) { return node.op_type() == "Conv"; }));
}

CompileResult Compile(std::unique_ptr<Graph> graph, Precision precision) {
  TimingCache cache;
  return CompileFor(std::move(graph), CpuDevice::Detect(),
                       {.precision = precision, .tune = {.effort = 0}, .source_digest = HashFile(kOnnx)}, cache);
}

Precision BestPrecision() { return CpuDevice::Detect().features.avx512_bf16 ? Precision::kHalf : Precision::kFp32; }

class AlteredTest : public testing::Test {
 protected:
  AlteredTest() {
    // One each: ctest runs the tests side by side.
    std::string name = testing::TempDir() + "tenon_altered_XXXXXX";
    TENON_CHECK(mkdtemp(name.data()), "no temporary folder");
    folder_ = name + "/";
    setenv("XDG_CACHE_HOME", folder_.c_str(), 1);
  }
  ~AlteredTest() override { fs::remove_all(folder_); }

  struct Outcome {
    int status = 0;
    nlohmann::json json;
    std::vector<std::string> failed() const {
      std::vector<std::string> names;
      for (const auto& check : json.value("checks", nlohmann::json::array())) {
        if (check["status"] == "fail") names.push_back(check["name"]);
      }
      return names;
    }
  };
  Outcome Verify(const std::string& engine, const std::string& source, const std::string& flags = "") const {
    const std::string out = folder_ + "out.json";
    const std::string command =
        TENON_BINARY_DIR "/tenon verify " + engine + " --source " + source + " --data " + kExample +
        "data.yaml --fraction 0.05 --warmup-ms 0 --duration-s 0 --iterations 1 --quiet --json " + flags + " > " + out +
        " 2> " + folder_ + "err";
    const int status = std::system(command.c_str());
    return {WEXITSTATUS(status), nlohmann::json::parse(ReadTextFile(out), nullptr, false)};
  }
  std::string Write(const EngineModel& engine, const std::string& name) const {
    WriteEngine(engine, folder_ + name);
    return folder_ + name;
  }

  std::string folder_;
};

TEST_F(AlteredTest, TheEngineItselfPasses) {
  const std::string engine = Write(*Compile(ImportOnnx(kOnnx), BestPrecision()).engine, "good.tenon");
  const Outcome outcome = Verify(engine, kOnnx, "--p95-ms 100000");
  EXPECT_EQ(outcome.status, 0) << outcome.json.dump(1) << ReadTextFile(folder_ + "err");
  EXPECT_EQ(outcome.json["passed"], true);
  EXPECT_THAT(outcome.failed(), testing::IsEmpty());
}

TEST_F(AlteredTest, AnImpossibleBudgetFails) {
  const std::string engine = Write(*Compile(ImportOnnx(kOnnx), BestPrecision()).engine, "good.tenon");
  const Outcome outcome = Verify(engine, kOnnx, "--p95-ms 0.01");
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.failed(), UnorderedElementsAre("p95_latency"));
}

TEST_F(AlteredTest, ASourceWithOneLayerScaledIsAnotherSource) {
  const std::string engine = Write(*Compile(ImportOnnx(kOnnx), BestPrecision()).engine, "good.tenon");
  WriteTextFileAtomically(folder_ + "scaled.onnx", Scaled(10, 1.05f));
  const Outcome outcome = Verify(engine, folder_ + "scaled.onnx");
  EXPECT_EQ(outcome.status, 2);
  EXPECT_THAT(outcome.json["error"]["message"].get<std::string>(), testing::HasSubstr("not the model"));
}

/// The engine of a scaled model that says it comes from the original.
TEST_F(AlteredTest, AnEngineWithOneLayerScaledFails) {
  const std::string scaled = Scaled(10, 1.05f);
  const std::string engine =
      Write(*Compile(ImportOnnx(std::as_bytes(std::span(scaled))), BestPrecision()).engine, "scaled.tenon");
  const Outcome outcome = Verify(engine, kOnnx);
  EXPECT_EQ(outcome.status, 1) << outcome.json.dump(1);
  EXPECT_THAT(outcome.failed(), Contains("weights"));
}

/// Weights changed in the file, digests put right.
TEST_F(AlteredTest, AnEngineWithAlteredWeightsFails) {
  const auto engine = Compile(ImportOnnx(kOnnx), BestPrecision()).engine;
  Program plan = *engine->plans[0];
  for (size_t i = 20; i < 24; ++i) {  // four layers turned to noise
    Blob& blob = plan.packed.at(i);
    std::vector<std::byte> bytes(blob.bytes().begin(), blob.bytes().end());
    for (size_t k = 0; k < bytes.size() / 4; k += 2) std::swap(bytes[k + 1], bytes[bytes.size() / 2 - 1 - k]);
    blob = Blob::Copy(bytes);
  }
  engine->plans[0] = std::make_shared<Program>(plan);
  const Outcome outcome = Verify(Write(*engine, "altered.tenon"), kOnnx);
  EXPECT_EQ(outcome.status, 1) << outcome.json.dump(1);
  EXPECT_THAT(outcome.failed(), Contains("weights"));
  EXPECT_THAT(outcome.failed(), Contains("map"));
}

/// inspect shows what an engine keeps, whatever that is.
TEST_F(AlteredTest, HostileReportsAreShownOrSkipped) {
  const auto engine = Compile(ImportOnnx(kOnnx), Precision::kFp32).engine;
  const std::string deep(300000, '[');
  for (const std::string& report :
       {std::string("no json"), std::string("[]"), std::string(R"({"date": 5, "checks": 7, "passed": "yes"})"),
        std::string(R"({"checks": [1, null, {"name": 3, "value": "x"}]})"), deep, R"({"checks": )" + deep,
        R"({"checks": )" + deep + std::string(300000, ']') + "}", std::string("{\"date\": \"\xff\"}")}) {
    engine->reports["verify"] = report;
    const std::string path = Write(*engine, "hostile.tenon");
    for (const char* json : {"", " --json"}) {
      const std::string command = TENON_BINARY_DIR "/tenon inspect " + path + json + " > " + folder_ + "out 2>&1";
      EXPECT_EQ(WEXITSTATUS(std::system(command.c_str())), 0) << report.substr(0, 60);
    }
  }
}

/// @param source bytes of an ONNX file
Check WeightsAgainst(const std::string& source, const EngineModel& engine, Precision precision) {
  const auto graph = ImportOnnx(std::as_bytes(std::span(source))), fp32 = ImportOnnx(std::as_bytes(std::span(source)));
  RunPasses(*graph, {.precision = precision});
  RunPasses(*fp32, {.precision = Precision::kFp32});
  return CheckWeights(*engine.plans[0], CpuDevice::Detect(), {*graph, *fp32});
}
Check Weights(const EngineModel& engine, Precision precision) {
  return WeightsAgainst(ReadTextFile(kOnnx), engine, precision);
}

TEST(CheckWeights, TheModelItselfPassesInEachPrecision) {
  for (const Precision precision : {Precision::kFp32, BestPrecision()}) {
    const Check check = Weights(*Compile(ImportOnnx(kOnnx), precision).engine, precision);
    EXPECT_EQ(check.status, CheckStatus::kPass) << check.detail;
    EXPECT_EQ(check.value, 0);
  }
}

/// Not a lucky layer: each of them, and by 1.05 only.
TEST(CheckWeights, AnyLayerScaledFails) {
  const size_t count = ConvCount();
  ASSERT_GT(count, 40u);
  for (size_t i = 0; i < count; i += 3) {
    const std::string scaled = Scaled(i, 1.05f);
    const auto engine = Compile(ImportOnnx(std::as_bytes(std::span(scaled))), BestPrecision()).engine;
    const Check check = Weights(*engine, BestPrecision());
    EXPECT_EQ(check.status, CheckStatus::kFail) << "convolution " << i << ": " << check.detail;
  }
}

TEST(CheckWeights, AnUnknownGraphIsNotJudged) {
  const auto engine = Compile(ImportOnnx(kOnnx), Precision::kFp32).engine;
  EXPECT_EQ(CheckWeights(*engine->plans[0], CpuDevice::Detect(), {Graph(), Graph()}).status, CheckStatus::kNotJudged);
}

/// What `tenon export --int8` makes of a model, a few images of the example its calibration.
std::shared_ptr<EngineModel> ExportInt8(const std::string& onnx, const std::string& folder,
                                        const std::string& flags = "") {
  const std::string command = TENON_BINARY_DIR "/tenon export " + onnx + " --int8 --data " + kExample +
                              "data.yaml --fraction 0.02 --effort 0 --quiet -o " + folder + "int8.tenon " + flags +
                              " > " + folder + "out 2>&1";
  EXPECT_EQ(std::system(command.c_str()), 0) << ReadTextFile(folder + "out");
  return ReadEngine(folder + "int8.tenon");
}

TEST_F(AlteredTest, AnInt8EngineHoldsItsSourcesWeightsAndOfNoOther) {
  const auto engine = ExportInt8(kOnnx, folder_);
  const Check own = Weights(*engine, BestPrecision());
  EXPECT_EQ(own.status, CheckStatus::kPass) << own.detail;
  EXPECT_LE(own.value, 1);
  for (size_t i = 0, count = ConvCount(); i < count; ++i) {
    const Check check = WeightsAgainst(Scaled(i, 1.05f), *engine, BestPrecision());
    EXPECT_EQ(check.status, CheckStatus::kFail) << "convolution " << i << ": " << check.detail;
  }
}

TEST_F(AlteredTest, AnInt8EngineWithLayersLeftInHalfPassesToo) {
  const auto engine = ExportInt8(kOnnx, folder_, "--map-drop 0.01");
  const Check own = Weights(*engine, BestPrecision());
  EXPECT_EQ(own.status, CheckStatus::kPass) << own.detail;
}

/// The INT8 engine of a scaled model that says it comes from the original.
TEST_F(AlteredTest, AnInt8EngineWithOneLayerScaledFails) {
  WriteTextFileAtomically(folder_ + "scaled.onnx", Scaled(10, 1.05f));
  const auto engine = ExportInt8(folder_ + "scaled.onnx", folder_);
  engine->source_digest = HashFile(kOnnx);
  const Outcome outcome = Verify(Write(*engine, "forged.tenon"), kOnnx, "--map-drop 100");
  EXPECT_EQ(outcome.status, 1) << outcome.json.dump(1);
  EXPECT_THAT(outcome.failed(), Contains("weights"));
}

/// The scales that an INT8 kernel reads stand in its packed bytes too.
TEST_F(AlteredTest, AnInt8EngineWithAlteredMultipliersFails) {
  const auto engine = ExportInt8(kOnnx, folder_);
  Program plan = *engine->plans[0];
  const auto step = std::find_if(plan.steps.begin(), plan.steps.end(),
                                 [](const ProgramStep& s) { return s.compute == DType::kInt8 && s.packed >= 0; });
  ASSERT_NE(step, plan.steps.end());
  Blob& blob = plan.packed.at(static_cast<size_t>(step->packed));
  std::vector<std::byte> bytes(blob.bytes().begin(), blob.bytes().end());
  bytes[bytes.size() / 2] ^= std::byte{0x10};
  blob = Blob::Copy(bytes);
  engine->plans[0] = std::make_shared<Program>(plan);
  EXPECT_EQ(Weights(*engine, BestPrecision()).status, CheckStatus::kFail);
}

}  // namespace
}  // namespace tenon
