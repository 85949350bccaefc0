#include "onnx/writer.h"

#include <array>

#include "base/file.h"
#include "onnx/tensor_proto.h"
#include "onnx/write_op.h"

namespace tenon {
namespace {

constexpr int64_t kOpset = 20, kIrVersion = 9;

void WriteNode(const Node& node, OnnxGraphMaker& maker) {
  const WriteContext context(node, maker);
  if (WriteDirectly(context)) return;
  for (const auto& writers : {ComputeWriters(), PointwiseWriters(), StructureWriters()}) {
    for (const OpWriter& writer : writers) {
      if (writer.op == node.op().name()) return writer.write(context);
    }
  }
  ThrowInvalid({.what = "standard ONNX has no such op", .where = node.name(), .got = std::string(node.op().name())});
}

void DescribeValue(const Value& value, const std::string& name, onnx::ValueInfoProto& info) {
  info.set_name(name);
  auto* tensor = info.mutable_type()->mutable_tensor_type();
  tensor->set_elem_type(OnnxFromDType(value.dtype()));
  if (!value.has_shape()) return;
  auto* shape = tensor->mutable_shape();
  for (const int64_t dim : value.shape()) shape->add_dim()->set_dim_value(dim);
}

/// Outputs that are inputs or constants, or that appear under two names, are copies.
void WriteOutputs(const Graph& graph, OnnxGraphMaker& maker, onnx::GraphProto& out) {
  for (size_t i = 0; i < graph.outputs().size(); ++i) {
    const Value* value = graph.outputs()[i];
    const std::string& name = graph.output_names()[i];
    if (const std::string made = maker.NameOf(value); made != name) maker.AddNode("Identity", {made}, {name}, name);
    DescribeValue(*value, name, *out.add_output());
  }
}

}  // namespace

std::string PrintOnnx(const Graph& graph) {
  onnx::ModelProto model;
  model.set_ir_version(kIrVersion);
  model.set_producer_name("tenon");
  model.add_opset_import()->set_version(kOpset);
  for (const auto& [key, value] : graph.metadata) {
    auto* entry = model.add_metadata_props();
    entry->set_key(key);
    entry->set_value(value);
  }
  onnx::GraphProto& out = *model.mutable_graph();
  out.set_name(graph.name.empty() ? "graph" : graph.name);
  OnnxGraphMaker maker(graph, out);
  for (const Value* input : graph.inputs()) DescribeValue(*input, input->name(), *out.add_input());
  for (const auto& node : graph.nodes()) WriteNode(*node, maker);
  WriteOutputs(graph, maker, out);
  std::string bytes;
  if (!model.SerializeToString(&bytes)) ThrowInvalid("the model is larger than an ONNX file can be (2 GB)");
  return bytes;
}

int64_t WriteOnnx(const Graph& graph, const std::string& path) {
  const std::string bytes = PrintOnnx(graph);
  WriteTextFileAtomically(path, bytes);
  return static_cast<int64_t>(bytes.size());
}

}  // namespace tenon
