#pragma once
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ir/graph.h"
#include "onnx/proto.h"

namespace tenon {

/// One of the ONNX project's backend node tests: a model, inputs, expected outputs.
struct NodeCase {
  std::string name;  ///< "test_relu"
  std::string op;    ///< the op under test; models expanded into simpler ops count for it, too
  std::filesystem::path folder;
  onnx::ModelProto model;
};

enum class NodeOutcome { kPassed, kRefused, kFailed };

struct NodeResult {
  NodeOutcome outcome = NodeOutcome::kFailed;
  std::string reason;  ///< of a refusal or a failure
};

/// The folder that scripts/fetch_onnx_node_tests.sh fills; none when it isn't there.
std::optional<std::filesystem::path> NodeTestFolder();

/// All cases, by name. Needs the whole folder: expanded models are named after the plain ones.
std::vector<NodeCase> LoadNodeCases(const std::filesystem::path& folder);

/// Imports the model, evaluates it on the reference and compares the outputs: types and shapes exactly, floats as the
/// ONNX project's own runner does (relative 1e-3, absolute 1e-7), NaN equal to NaN.
/// `rewrite`, if given, replaces the imported graph by another that must compute the same.
using GraphRewrite = std::function<std::unique_ptr<Graph>(std::unique_ptr<Graph>)>;
NodeResult RunNodeCase(const NodeCase& test, const GraphRewrite& rewrite = {});

/// Why Tenon refuses a case: an op that is out of scope, or a type that it lacks. None: it must pass.
std::optional<std::string> ExpectedRefusal(const NodeCase& test);

}  // namespace tenon
