#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/file.h"
#include "ir/tensor.h"

namespace onnx {
class TensorProto;
}

namespace tenon {

/// The files beside a model that hold its large tensors. Only files of the model's own folder are read.
class ExternalData {
 public:
  /// `model_path` empty: the model didn't come from a file and can't have external data.
  explicit ExternalData(std::string model_path = {}) : model_path_(std::move(model_path)) {}

  /// The bytes that a tensor's external_data entries (location, offset, length) name. They live as long as this.
  /// Throws Error(kInvalidInput) for a path outside the folder, a missing file, a range beyond its end.
  std::span<const std::byte> Find(const onnx::TensorProto& proto) const;

 private:
  const MappedFile& Open(const std::string& location) const;

  std::string model_path_;
  mutable std::map<std::string, MappedFile> files_;
};

/// TensorProto::DataType to Tenon's type, none where Tenon lacks it.
std::optional<DType> DTypeFromOnnx(int data_type);
/// Tenon's type as TensorProto::DataType.
int OnnxFromDType(DType dtype);
/// ONNX's name of the type ("uint16"), for messages; also of types newer than the schema.
std::string OnnxTypeName(int data_type);

/// The tensor with its elements copied. Throws UnsupportedNode for a type that Tenon lacks, Error(kInvalidInput) when
/// the data don't match the shape. The size is checked before anything is allocated.
Tensor ReadTensor(const onnx::TensorProto& proto, const ExternalData& external);
/// The same; large raw data are taken out of `proto` instead of copied.
Tensor TakeTensor(onnx::TensorProto& proto, const ExternalData& external);

/// Fills `proto` with the tensor's name, type, shape and elements (raw data).
void FillTensorProto(const Tensor& tensor, const std::string& name, onnx::TensorProto& proto);

}  // namespace tenon
