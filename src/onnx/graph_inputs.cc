#include "onnx/graph_inputs.h"

#include <cctype>

#include "onnx/proto.h"
#include "onnx/tensor_proto.h"

namespace tenon {
namespace {

using Dim = onnx::TensorShapeProto::Dimension;

/// Some exporters write -1 for an open dimension.
bool IsStatic(const Dim& dim) { return dim.has_dim_value() && dim.dim_value() >= 0; }

std::string Name(const Dim& dim) { return dim.dim_param().empty() ? "unnamed" : "'" + dim.dim_param() + "'"; }

const onnx::TypeProto::Tensor& TensorTypeOf(const onnx::ValueInfoProto& input) {
  if (input.type().has_tensor_type()) return input.type().tensor_type();
  ThrowInvalid({.what = "unsupported model input", .where = input.name(), .got = "no tensor", .expected = "a tensor"});
}

DType DTypeOfInput(const onnx::ValueInfoProto& input) {
  const int type = TensorTypeOf(input).elem_type();
  if (const auto dtype = DTypeFromOnnx(type)) return *dtype;
  ThrowInvalid({.what = "unsupported type of a model input",
                .where = input.name(),
                .got = OnnxTypeName(type),
                .expected = "f32, f16, bf16, f64, i8, u8, i32, i64 or bool"});
}

void CheckGivenShape(const onnx::ValueInfoProto& input, const Shape& given) {
  ElemCount(given);
  const auto& tensor = TensorTypeOf(input);
  if (!tensor.has_shape()) return;
  bool fits = tensor.shape().dim_size() == static_cast<int>(given.size());
  for (size_t i = 0; fits && i < given.size(); ++i) {
    const Dim& dim = tensor.shape().dim(static_cast<int>(i));
    fits = !IsStatic(dim) || dim.dim_value() == given[i];
  }
  if (!fits)
    ThrowInvalid(
        {.what = "the given shape doesn't fit the model's input", .where = input.name(), .got = ToString(given)});
}

/// Where the options give a size and the model has fixed another one, compiling for either would surprise.
void CheckFixed(const std::string& input, const char* flag, std::optional<int64_t> asked, const Dim& dim) {
  if (!asked || !IsStatic(dim) || dim.dim_value() == *asked) return;
  ThrowInvalid({.what = "the model's input size is fixed",
                .where = input,
                .got = fmt::format("{} {}", flag, *asked),
                .expected = std::to_string(dim.dim_value()),
                .hint = fmt::format("Leave {} out, or export the model with dynamic=True", flag)});
}

}  // namespace

std::optional<std::pair<int64_t, int64_t>> ParseImgsz(const std::string& text) {
  std::vector<int64_t> numbers;
  for (size_t i = 0; i < text.size();) {
    if (!std::isdigit(static_cast<unsigned char>(text[i]))) {
      ++i;
      continue;
    }
    int64_t number = 0;
    for (; i < text.size() && std::isdigit(static_cast<unsigned char>(text[i])); ++i) {
      number = number * 10 + (text[i] - '0');
      if (number > 1'000'000) return std::nullopt;
    }
    numbers.push_back(number);
  }
  if (numbers.empty() || numbers.size() > 2) return std::nullopt;
  return std::pair(numbers.front(), numbers.back());
}

InputResolver::InputResolver(const ImportOptions& options, const std::map<std::string, std::string>& metadata)
    : options_(options), height_(options.height), width_(options.width) {
  const auto found = metadata.find("imgsz");
  const auto imgsz = found == metadata.end() ? std::nullopt : ParseImgsz(found->second);
  if (!imgsz) return;
  if (!height_) height_ = imgsz->first;
  if (!width_) width_ = imgsz->second;
}

TensorType InputResolver::Resolve(const onnx::ValueInfoProto& input) {
  const DType dtype = DTypeOfInput(input);
  const auto given = options_.input_shapes.find(input.name());
  if (given != options_.input_shapes.end()) {
    CheckGivenShape(input, given->second);
    return {dtype, given->second};
  }
  const auto& tensor = TensorTypeOf(input);
  if (!tensor.has_shape())
    ThrowInvalid({.what = "model input without a shape",
                  .where = input.name(),
                  .hint = "Export the model with its input shape"});
  const auto& dims = tensor.shape();
  const bool is_image = dims.dim_size() == 4;
  if (is_image) {
    CheckFixed(input.name(), "--batch", options_.batch, dims.dim(0));
    CheckFixed(input.name(), "--imgsz height", options_.height, dims.dim(2));
    CheckFixed(input.name(), "--imgsz width", options_.width, dims.dim(3));
  }
  Shape shape;
  for (int i = 0; i < dims.dim_size(); ++i) {
    const Dim& dim = dims.dim(i);
    const auto known = symbols_.find(dim.dim_param());
    if (IsStatic(dim)) {
      shape.push_back(dim.dim_value());
    } else if (!dim.dim_param().empty() && known != symbols_.end()) {
      shape.push_back(known->second);
    } else if (i == 0) {
      shape.push_back(options_.batch.value_or(1));
    } else if (is_image && i == 2 && height_) {
      shape.push_back(*height_);
    } else if (is_image && i == 3 && width_) {
      shape.push_back(*width_);
    } else {
      ThrowInvalid({.what = fmt::format("dimension {} ({}) of a model input is open", i, Name(dim)),
                    .where = input.name(),
                    .hint = is_image && i >= 2 ? "Give the image size with --imgsz"
                                               : "Export the model with a fixed size there"});
    }
    if (!dim.dim_param().empty()) symbols_.emplace(dim.dim_param(), shape.back());
  }
  return {dtype, shape};
}

}  // namespace tenon
