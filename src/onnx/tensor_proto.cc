#include "onnx/tensor_proto.h"

#include <array>
#include <bit>
#include <cstring>

#include "onnx/converter.h"
#include "onnx/proto.h"

namespace tenon {
namespace {

static_assert(std::endian::native == std::endian::little, "raw data is little-endian");

/// By TensorProto::DataType; the schema that we build with is older than the last ones.
constexpr std::array<std::string_view, 27> kTypeNames = {
    "undefined", "float",      "uint8",      "int8",         "uint16",         "int16",      "int32",
    "int64",     "string",     "bool",       "float16",      "double",         "uint32",     "uint64",
    "complex64", "complex128", "bfloat16",   "float8e4m3fn", "float8e4m3fnuz", "float8e5m2", "float8e5m2fnuz",
    "uint4",     "int4",       "float4e2m1", "float8e8m0",   "uint2",          "int2"};

// Below this, keeping the string would cost more than it saves.
constexpr size_t kTakeBytes = 4096;

std::string Describe(const onnx::TensorProto& proto, DType dtype, const Shape& shape) {
  return fmt::format("tensor '{}' {}", proto.name(), ToString(TensorType{dtype, shape}));
}

void CheckSize(const onnx::TensorProto& proto, DType dtype, const Shape& shape, int64_t got_bytes,
               int64_t expected_bytes) {
  if (got_bytes == expected_bytes) return;
  ThrowInvalid({.what = "tensor data of the wrong size",
                .where = Describe(proto, dtype, shape),
                .got = fmt::format("{} bytes", got_bytes),
                .expected = fmt::format("{}", expected_bytes)});
}

int64_t CheckedBytes(DType dtype, const Shape& shape) {
  int64_t bytes = 0;
  if (__builtin_mul_overflow(ElemCount(shape), SizeOf(dtype), &bytes))
    ThrowInvalid("bad shape: {} overflows", ToString(shape));
  return bytes;
}

Tensor CopyRaw(const onnx::TensorProto& proto, DType dtype, const Shape& shape, std::span<const std::byte> bytes) {
  CheckSize(proto, dtype, shape, static_cast<int64_t>(bytes.size()), CheckedBytes(dtype, shape));
  Tensor tensor(dtype, shape);
  if (!bytes.empty()) std::memcpy(tensor.raw(), bytes.data(), bytes.size());
  if (dtype != DType::kBool) return tensor;
  // Any other byte than 0 and 1 would be undefined behaviour in a C++ bool.
  for (int64_t i = 0; i < tensor.elems(); ++i) tensor.raw()[i] = std::byte{bytes[i] != std::byte{0}};
  return tensor;
}

/// Elements from a typed field, which holds one wider number per element.
template <class T, class Field, class Convert>
Tensor CopyField(const onnx::TensorProto& proto, const Shape& shape, const Field& field, Convert convert) {
  CheckSize(proto, DTypeOf<T>::value, shape, int64_t{field.size()} * static_cast<int64_t>(sizeof(T)),
            CheckedBytes(DTypeOf<T>::value, shape));
  Tensor tensor(DTypeOf<T>::value, shape);
  T* out = tensor.data<T>();
  for (const auto element : field) *out++ = convert(element);
  return tensor;
}

Tensor ReadTyped(const onnx::TensorProto& proto, const Shape& shape, DType dtype) {
  const auto& ints = proto.int32_data();
  const auto cast = []<class T>(T) { return [](auto v) { return static_cast<T>(v); }; };
  const auto bits = []<class T>(T) {
    return [](int32_t v) {
      T value;
      value.bits = static_cast<uint16_t>(v);
      return value;
    };
  };
  switch (dtype) {
    case DType::kFloat32:
      return CopyField<float>(proto, shape, proto.float_data(), cast(float{}));
    case DType::kFloat64:
      return CopyField<double>(proto, shape, proto.double_data(), cast(double{}));
    case DType::kInt64:
      return CopyField<int64_t>(proto, shape, proto.int64_data(), cast(int64_t{}));
    case DType::kInt32:
      return CopyField<int32_t>(proto, shape, ints, cast(int32_t{}));
    case DType::kInt8:
      return CopyField<int8_t>(proto, shape, ints, cast(int8_t{}));
    case DType::kUInt8:
      return CopyField<uint8_t>(proto, shape, ints, cast(uint8_t{}));
    case DType::kBool:
      return CopyField<bool>(proto, shape, ints, [](int32_t v) { return v != 0; });
    case DType::kFloat16:
      return CopyField<Float16>(proto, shape, ints, bits(Float16{}));
    case DType::kBFloat16:
      return CopyField<BFloat16>(proto, shape, ints, bits(BFloat16{}));
  }
  TENON_CHECK(false, "bad dtype");
  __builtin_unreachable();
}

DType CheckedType(const onnx::TensorProto& proto) {
  if (proto.has_segment()) throw UnsupportedNode(fmt::format("tensor '{}' is stored in segments", proto.name()));
  if (const auto dtype = DTypeFromOnnx(proto.data_type())) return *dtype;
  throw UnsupportedNode(fmt::format("tensor '{}' has type {}", proto.name(), OnnxTypeName(proto.data_type())));
}

std::span<const std::byte> BytesOf(const std::string& text) { return std::as_bytes(std::span(text)); }

}  // namespace

std::optional<DType> DTypeFromOnnx(int data_type) {
  switch (data_type) {
    case onnx::TensorProto::FLOAT:
      return DType::kFloat32;
    case onnx::TensorProto::FLOAT16:
      return DType::kFloat16;
    case onnx::TensorProto::BFLOAT16:
      return DType::kBFloat16;
    case onnx::TensorProto::DOUBLE:
      return DType::kFloat64;
    case onnx::TensorProto::INT8:
      return DType::kInt8;
    case onnx::TensorProto::UINT8:
      return DType::kUInt8;
    case onnx::TensorProto::INT32:
      return DType::kInt32;
    case onnx::TensorProto::INT64:
      return DType::kInt64;
    case onnx::TensorProto::BOOL:
      return DType::kBool;
    default:
      return std::nullopt;
  }
}

int OnnxFromDType(DType dtype) {
  for (int type = onnx::TensorProto::DataType_MIN; type <= onnx::TensorProto::DataType_MAX; ++type) {
    if (DTypeFromOnnx(type) == dtype) return type;
  }
  TENON_CHECK(false, "no ONNX type for {}", ToString(dtype));
  __builtin_unreachable();
}

std::string OnnxTypeName(int data_type) {
  if (data_type >= 0 && data_type < static_cast<int>(kTypeNames.size())) return std::string(kTypeNames[data_type]);
  return fmt::format("number {}", data_type);
}

Tensor ReadTensor(const onnx::TensorProto& proto, const ExternalData& external) {
  const DType dtype = CheckedType(proto);
  const Shape shape(proto.dims().begin(), proto.dims().end());
  if (proto.data_location() == onnx::TensorProto::EXTERNAL) return CopyRaw(proto, dtype, shape, external.Find(proto));
  if (!proto.raw_data().empty()) return CopyRaw(proto, dtype, shape, BytesOf(proto.raw_data()));
  return ReadTyped(proto, shape, dtype);
}

Tensor TakeTensor(onnx::TensorProto& proto, const ExternalData& external) {
  if (proto.data_location() == onnx::TensorProto::EXTERNAL || proto.raw_data().size() < kTakeBytes)
    return ReadTensor(proto, external);
  const DType dtype = CheckedType(proto);
  if (dtype == DType::kBool) return ReadTensor(proto, external);
  const Shape shape(proto.dims().begin(), proto.dims().end());
  CheckSize(proto, dtype, shape, static_cast<int64_t>(proto.raw_data().size()), CheckedBytes(dtype, shape));
  const auto text = std::make_shared<std::string>(std::move(*proto.mutable_raw_data()));
  return Tensor(dtype, shape, {text, reinterpret_cast<const std::byte*>(text->data())});
}

void FillTensorProto(const Tensor& tensor, const std::string& name, onnx::TensorProto& proto) {
  proto.set_name(name);
  proto.set_data_type(OnnxFromDType(tensor.dtype()));
  proto.mutable_dims()->Add(tensor.shape().begin(), tensor.shape().end());
  proto.set_raw_data(tensor.raw(), static_cast<size_t>(tensor.size_bytes()));
}

}  // namespace tenon
