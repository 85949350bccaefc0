#include "onnx/tensor_proto.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

#include "onnx/importer.h"
#include "onnx/model_builder.h"

namespace tenon {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
namespace fs = std::filesystem;

onnx::TensorProto Proto(int type, const std::vector<int64_t>& dims) {
  onnx::TensorProto proto;
  proto.set_name("w");
  proto.set_data_type(type);
  proto.mutable_dims()->Add(dims.begin(), dims.end());
  return proto;
}

template <class T>
std::string Raw(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

std::string ReadError(const onnx::TensorProto& proto) {
  try {
    ReadTensor(proto, ExternalData());
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidInput);
    return error.what();
  }
  ADD_FAILURE() << "no error";
  return {};
}

TEST(TensorProtoTest, ReadsTypedFields) {
  auto floats = Proto(onnx::TensorProto::FLOAT, {2});
  floats.add_float_data(1.5f);
  floats.add_float_data(-2);
  EXPECT_THAT(ReadTensor(floats, ExternalData()).values<float>(), ElementsAre(1.5f, -2.0f));
  auto halves = Proto(onnx::TensorProto::FLOAT16, {1});
  halves.add_int32_data(0x3c00);
  EXPECT_EQ(ReadTensor(halves, ExternalData()).AsDouble(0), 1.0);
  auto bytes = Proto(onnx::TensorProto::UINT8, {1});
  bytes.add_int32_data(200);
  EXPECT_EQ(ReadTensor(bytes, ExternalData()).AsInt(0), 200);
  auto doubles = Proto(onnx::TensorProto::DOUBLE, {});
  doubles.add_double_data(0.1);
  EXPECT_EQ(ReadTensor(doubles, ExternalData()).AsDouble(0), 0.1);
}

TEST(TensorProtoTest, ReadsRawData) {
  auto ints = Proto(onnx::TensorProto::INT64, {2});
  ints.set_raw_data(Raw<int64_t>({-1, int64_t{1} << 40}));
  EXPECT_THAT(ReadTensor(ints, ExternalData()).AsInts(), ElementsAre(-1, int64_t{1} << 40));
  auto flags = Proto(onnx::TensorProto::BOOL, {3});
  flags.set_raw_data(std::string("\0\1\7", 3));
  EXPECT_EQ(static_cast<int>(ReadTensor(flags, ExternalData()).bytes()[2]), 1) << "true is one byte value";
}

TEST(TensorProtoTest, TakesLargeRawDataWithoutCopying) {
  auto proto = Proto(onnx::TensorProto::FLOAT, {4096});
  proto.set_raw_data(Raw(std::vector<float>(4096, 3.0f)));
  const void* data = proto.raw_data().data();
  const Tensor tensor = TakeTensor(proto, ExternalData());
  EXPECT_EQ(static_cast<const void*>(tensor.raw()), data);
  EXPECT_EQ(tensor.AsDouble(4095), 3.0);
}

TEST(TensorProtoTest, RefusesWhatDoesNotFit) {
  auto few = Proto(onnx::TensorProto::FLOAT, {3});
  few.add_float_data(1);
  EXPECT_THAT(ReadError(few), HasSubstr("'w' f32[3]): got 4 bytes, expected 12"));
  auto odd = Proto(onnx::TensorProto::FLOAT, {1});
  odd.set_raw_data("abc");
  EXPECT_THAT(ReadError(odd), HasSubstr("got 3 bytes"));
  // Sizes are compared before anything is allocated.
  EXPECT_THAT(ReadError(Proto(onnx::TensorProto::FLOAT, {int64_t{1} << 40})), HasSubstr("got 0 bytes"));
  EXPECT_THAT(ReadError(Proto(onnx::TensorProto::FLOAT, {int64_t{1} << 62, 64})), HasSubstr("overflow"));
  EXPECT_THAT(ReadError(Proto(onnx::TensorProto::FLOAT, {-1})), HasSubstr("negative"));
  EXPECT_THAT(ReadError(Proto(onnx::TensorProto::UINT16, {1})), HasSubstr("uint16"));
  EXPECT_THAT(ReadError(Proto(17, {1})), HasSubstr("float8e4m3fn"));
  EXPECT_THAT(ReadError(Proto(99, {1})), HasSubstr("number 99"));
}

class ExternalDataTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::temp_directory_path() / fmt::format("tenon_external_{}", ::getpid());
    fs::create_directories(folder_ / "model" / "data");
    Write(folder_ / "model" / "w.bin", std::string(4, 'x') + Raw<float>({1, 2, 3}));
    Write(folder_ / "secret.bin", Raw<float>({1, 2, 3}));
  }
  void TearDown() override { fs::remove_all(folder_); }

  static void Write(const fs::path& path, const std::string& text) { WriteTextFileAtomically(path.string(), text); }

  /// A model file with one output, an initializer f32[3] that lies outside of it.
  fs::path Model(const std::vector<std::pair<std::string, std::string>>& entries) {
    ModelBuilder builder;
    auto* tensor = builder.Output("w").Tensor("w", {3}, onnx::TensorProto::FLOAT);
    tensor->set_data_location(onnx::TensorProto::EXTERNAL);
    for (const auto& [key, value] : entries) {
      auto* entry = tensor->add_external_data();
      entry->set_key(key);
      entry->set_value(value);
    }
    Write(folder_ / "model" / "m.onnx", builder.Bytes());
    return folder_ / "model" / "m.onnx";
  }
  std::string ErrorOf(const std::vector<std::pair<std::string, std::string>>& entries) {
    const fs::path path = Model(entries);
    try {
      ImportOnnx(path.string());
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::kInvalidInput);
      EXPECT_THAT(error.what(), HasSubstr("m.onnx: "));
      return error.what();
    }
    ADD_FAILURE() << "no error";
    return {};
  }

  fs::path folder_;
};

TEST_F(ExternalDataTest, ReadsTheFileBesideTheModel) {
  const auto graph = ImportOnnx(Model({{"location", "w.bin"}, {"offset", "4"}, {"length", "12"}}).string());
  EXPECT_THAT(graph->outputs().at(0)->constant().values<float>(), ElementsAre(1, 2, 3));
  EXPECT_NO_THROW(ImportOnnx(Model({{"location", "w.bin"}, {"offset", "4"}}).string())) << "to the end of the file";
}

TEST_F(ExternalDataTest, RefusesPathsOutsideTheFolder) {
  EXPECT_THAT(ErrorOf({{"location", "../secret.bin"}}), HasSubstr("outside"));
  EXPECT_THAT(ErrorOf({{"location", "data/../../secret.bin"}}), HasSubstr("outside"));
  EXPECT_THAT(ErrorOf({{"location", (folder_ / "secret.bin").string()}}), HasSubstr("outside"));
  EXPECT_THAT(ErrorOf({{"location", ""}}), HasSubstr("outside"));
  EXPECT_THAT(ErrorOf({}), HasSubstr("outside"));
  fs::create_symlink(folder_ / "secret.bin", folder_ / "model" / "link.bin");
  EXPECT_THAT(ErrorOf({{"location", "link.bin"}}), HasSubstr("outside"));
}

TEST_F(ExternalDataTest, RefusesWrongFilesAndRanges) {
  EXPECT_THAT(ErrorOf({{"location", "missing.bin"}}), HasSubstr("missing.bin"));
  EXPECT_THAT(ErrorOf({{"location", "data"}}), HasSubstr("data"));
  EXPECT_THAT(ErrorOf({{"location", "w.bin"}, {"offset", "8"}, {"length", "12"}}), HasSubstr("beyond the end"));
  EXPECT_THAT(ErrorOf({{"location", "w.bin"}, {"offset", "18446744073709551615"}, {"length", "12"}}),
              HasSubstr("beyond the end"));
  EXPECT_THAT(ErrorOf({{"location", "w.bin"}, {"offset", "-4"}}), HasSubstr("offset"));
  EXPECT_THAT(ErrorOf({{"location", "w.bin"}, {"offset", "4"}, {"length", "8"}}), HasSubstr("got 8 bytes"));
}

TEST_F(ExternalDataTest, FollowsTheLinksOfADownloadCache) {
  const fs::path model = Model({{"location", "w.bin"}, {"offset", "4"}});
  fs::create_directories(folder_ / "snapshot");
  fs::create_symlink(model, folder_ / "snapshot" / "m.onnx");
  fs::create_symlink(folder_ / "model" / "w.bin", folder_ / "snapshot" / "w.bin");
  EXPECT_NO_THROW(ImportOnnx((folder_ / "snapshot" / "m.onnx").string()));
}

}  // namespace
}  // namespace tenon
