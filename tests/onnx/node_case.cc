#include "onnx/node_case.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>

#include "base/file.h"
#include "onnx/converter.h"
#include "onnx/importer.h"
#include "onnx/tensor_proto.h"
#include "ops/evaluate.h"

namespace tenon {
namespace {

namespace fs = std::filesystem;

constexpr double kRelative = 1e-3, kAbsolute = 1e-7;

/// test_gelu_tanh_1_expanded_ver18 is test_gelu_tanh_1.
std::string PlainName(const std::string& name) { return name.substr(0, name.find("_expanded")); }

std::string FirstOp(const onnx::ModelProto& model) {
  if (model.graph().node().empty()) return "(none)";
  const auto& node = model.graph().node(0);
  return node.domain().empty() ? node.op_type() : node.domain() + "." + node.op_type();
}

Tensor ReadPb(const fs::path& path) {
  const MappedFile file(path.string());
  onnx::TensorProto proto;
  if (!proto.ParseFromArray(file.bytes().data(), static_cast<int>(file.bytes().size())))
    ThrowInvalid("{}: no tensor", path.string());
  return ReadTensor(proto, ExternalData());
}

std::vector<Tensor> ReadAll(const fs::path& folder, const std::string& prefix) {
  std::vector<Tensor> tensors;
  for (int i = 0;; ++i) {
    const fs::path path = folder / "test_data_set_0" / fmt::format("{}_{}.pb", prefix, i);
    if (!fs::exists(path)) return tensors;
    tensors.push_back(ReadPb(path));
  }
}

bool Close(double got, double expected) {
  if (std::isnan(expected)) return std::isnan(got);
  if (std::isinf(expected) || std::isinf(got)) return got == expected;
  return std::abs(got - expected) <= kAbsolute + kRelative * std::abs(expected);
}

/// Empty when equal.
std::string Difference(const Tensor& got, const Tensor& expected) {
  if (got.type() != expected.type())
    return fmt::format("got {}, expected {}", ToString(got.type()), ToString(expected.type()));
  for (int64_t i = 0; i < got.elems(); ++i) {
    const bool same =
        IsFloat(got.dtype()) ? Close(got.AsDouble(i), expected.AsDouble(i)) : got.AsInt(i) == expected.AsInt(i);
    if (!same) return fmt::format("element {} is {}, expected {}", i, got.AsDouble(i), expected.AsDouble(i));
  }
  return {};
}

NodeResult Compare(const std::vector<Tensor>& got, const std::vector<Tensor>& expected) {
  if (got.size() != expected.size())
    return {NodeOutcome::kFailed, fmt::format("{} outputs, expected {}", got.size(), expected.size())};
  for (size_t i = 0; i < got.size(); ++i) {
    const std::string difference = Difference(got[i], expected[i]);
    if (!difference.empty()) return {NodeOutcome::kFailed, fmt::format("output {}: {}", i, difference)};
  }
  return {NodeOutcome::kPassed, {}};
}

NodeResult Run(const NodeCase& test, const GraphRewrite& rewrite) {
  const std::vector<Tensor> inputs = ReadAll(test.folder, "input");
  ImportOptions options;
  for (int i = 0; i < test.model.graph().input_size() && i < static_cast<int>(inputs.size()); ++i) {
    options.input_shapes[test.model.graph().input(i).name()] = inputs[static_cast<size_t>(i)].shape();
  }
  auto graph = ImportOnnx((test.folder / "model.onnx").string(), options);
  if (rewrite) graph = rewrite(std::move(graph));
  Verify(*graph);
  return Compare(EvaluateGraph(*graph, inputs), ReadAll(test.folder, "output"));
}

}  // namespace

std::optional<fs::path> NodeTestFolder() {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  const char* home = std::getenv("HOME");
  if (!cache && !home) return std::nullopt;
  const fs::path root = cache && *cache ? fs::path(cache) : fs::path(home ? home : "") / ".cache";
  const fs::path folder = root / "tenon" / "onnx-node-tests-1.22.0";
  if (!fs::is_directory(folder)) return std::nullopt;
  return folder;
}

std::vector<NodeCase> LoadNodeCases(const fs::path& folder) {
  std::vector<NodeCase> cases;
  std::map<std::string, std::string> op_of;
  for (const auto& entry : fs::directory_iterator(folder)) {
    NodeCase& test = cases.emplace_back();
    test.name = entry.path().filename().string();
    test.folder = entry.path();
    const MappedFile file((entry.path() / "model.onnx").string());
    TENON_CHECK(test.model.ParseFromArray(file.bytes().data(), static_cast<int>(file.bytes().size())), "{}", test.name);
    op_of[test.name] = FirstOp(test.model);
  }
  for (NodeCase& test : cases) {
    const auto plain = op_of.find(PlainName(test.name));
    test.op = plain == op_of.end() ? op_of.at(test.name) : plain->second;
  }
  std::sort(cases.begin(), cases.end(), [](const NodeCase& a, const NodeCase& b) { return a.name < b.name; });
  return cases;
}

NodeResult RunNodeCase(const NodeCase& test, const GraphRewrite& rewrite) {
  try {
    return Run(test, rewrite);
  } catch (const Error& error) {
    return {error.code() == ErrorCode::kInvalidInput ? NodeOutcome::kRefused : NodeOutcome::kFailed, error.what()};
  } catch (const std::exception& error) {
    return {NodeOutcome::kFailed, error.what()};
  }
}

}  // namespace tenon
