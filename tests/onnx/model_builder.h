#pragma once
#include <string>
#include <variant>
#include <vector>

#include "ir/types.h"
#include "onnx/proto.h"

namespace tenon {

/// A dimension of a test model's input: a size or a symbol.
using TestDim = std::variant<int, std::string>;

/// Builds small ONNX models for tests.
class ModelBuilder {
 public:
  explicit ModelBuilder(int64_t opset = 20) {
    model.set_ir_version(8);
    model.mutable_graph()->set_name("test");
    Opset("", opset);
  }
  ModelBuilder& Opset(const std::string& domain, int64_t version) {
    auto* entry = model.add_opset_import();
    entry->set_domain(domain);
    entry->set_version(version);
    return *this;
  }
  ModelBuilder& Input(const std::string& name, const std::vector<TestDim>& dims, int type = onnx::TensorProto::FLOAT) {
    auto* input = model.mutable_graph()->add_input();
    input->set_name(name);
    auto* tensor = input->mutable_type()->mutable_tensor_type();
    tensor->set_elem_type(type);
    auto* shape = tensor->mutable_shape();
    for (const TestDim& dim : dims) {
      auto* made = shape->add_dim();
      if (const int* size = std::get_if<int>(&dim)) made->set_dim_value(*size);
      if (const auto* symbol = std::get_if<std::string>(&dim)) made->set_dim_param(*symbol);
    }
    return *this;
  }
  ModelBuilder& Output(const std::string& name) {
    model.mutable_graph()->add_output()->set_name(name);
    return *this;
  }
  ModelBuilder& Floats(const std::string& name, const std::vector<int64_t>& dims, const std::vector<float>& values) {
    auto* tensor = Tensor(name, dims, onnx::TensorProto::FLOAT);
    tensor->mutable_float_data()->Add(values.begin(), values.end());
    return *this;
  }
  ModelBuilder& Ints(const std::string& name, const std::vector<int64_t>& values) {
    auto* tensor = Tensor(name, {static_cast<int64_t>(values.size())}, onnx::TensorProto::INT64);
    tensor->mutable_int64_data()->Add(values.begin(), values.end());
    return *this;
  }
  onnx::TensorProto* Tensor(const std::string& name, const std::vector<int64_t>& dims, int type) {
    auto* tensor = model.mutable_graph()->add_initializer();
    tensor->set_name(name);
    tensor->set_data_type(type);
    tensor->mutable_dims()->Add(dims.begin(), dims.end());
    return tensor;
  }
  onnx::NodeProto* Node(const std::string& op, const std::vector<std::string>& inputs,
                        const std::vector<std::string>& outputs, const std::string& name = {}) {
    return AddNode(*model.mutable_graph(), op, inputs, outputs, name);
  }
  static onnx::NodeProto* AddNode(onnx::GraphProto& graph, const std::string& op,
                                  const std::vector<std::string>& inputs, const std::vector<std::string>& outputs,
                                  const std::string& name = {}) {
    auto* node = graph.add_node();
    node->set_op_type(op);
    node->set_name(name);
    for (const auto& input : inputs) node->add_input(input);
    for (const auto& output : outputs) node->add_output(output);
    return node;
  }
  static void IntAttr(onnx::NodeProto* node, const std::string& name, int64_t value) {
    auto* attr = node->add_attribute();
    attr->set_name(name);
    attr->set_type(onnx::AttributeProto::INT);
    attr->set_i(value);
  }
  std::string Bytes() const { return model.SerializeAsString(); }

  onnx::ModelProto model;
};

}  // namespace tenon
