#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <random>
#include <set>
#include <thread>

#include "base/file.h"
#include "engine/engine_file.h"
#include "runtime/c_errors.h"
#include "runtime/example_engine.h"
#include "support/sanitized.h"
#include "tenon/tenon.hpp"

namespace tenon {
namespace {

using testing_support::ExampleEngine;
using testing_support::Scratch;

std::vector<std::byte> FileBytes(const std::string& path) {
  const MappedFile file(path);
  return {file.bytes().begin(), file.bytes().end()};
}

void WriteBytes(const std::string& path, std::span<const std::byte> bytes) {
  WriteFileAtomically(path, std::vector<std::span<const std::byte>>{bytes});
}

std::vector<float> RandomImage(size_t bytes) {
  std::vector<float> image(bytes / sizeof(float));
  std::mt19937 random(7);
  for (float& value : image) value = static_cast<float>(random() % 256) / 255.0f;
  return image;
}

/// The output of an engine for one fixed image, by the C API.
std::vector<float> RunC(tenon_engine* engine, int threads = 1) {
  tenon_tensor_info input = TENON_TENSOR_INFO_INIT, output = TENON_TENSOR_INFO_INIT;
  EXPECT_EQ(tenon_engine_get_input(engine, 0, &input), TENON_OK);
  EXPECT_EQ(tenon_engine_get_output(engine, 0, &output), TENON_OK);
  const std::vector<float> image = RandomImage(input.size_bytes);
  std::vector<float> scores(output.size_bytes / sizeof(float));
  tenon_context_options options = TENON_CONTEXT_OPTIONS_INIT;
  options.threads = threads;
  tenon_context* context = nullptr;
  EXPECT_EQ(tenon_context_create(engine, &options, &context), TENON_OK) << tenon_last_error();
  EXPECT_EQ(tenon_context_bind_input(context, 0, image.data(), input.size_bytes), TENON_OK);
  EXPECT_EQ(tenon_context_bind_output_by_name(context, "output0", scores.data(), output.size_bytes), TENON_OK);
  EXPECT_EQ(tenon_context_run(context), TENON_OK) << tenon_last_error();
  tenon_context_free(context);
  return scores;
}

TEST(CApiTest, ErrorsAreStatusesAndSentences) {
  const std::vector<std::byte> bytes = FileBytes(ExampleEngine());
  WriteBytes(Scratch() / "cut.tenon", std::span(bytes).first(bytes.size() / 2));
  const auto model = ReadEngine(ExampleEngine());
  auto plan = std::make_shared<Program>(*model->plans[0]);
  plan->fingerprint = "a machine elsewhere";
  model->plans = {plan};
  WriteEngine(*model, Scratch() / "elsewhere.tenon");
  const std::string cut = Scratch() / "cut.tenon", elsewhere = Scratch() / "elsewhere.tenon", none = Scratch() / "none";
  const c_error_files files = {ExampleEngine().c_str(), cut.c_str(), elsewhere.c_str(), none.c_str()};
  const char* failed = CheckCErrors(&files);
  EXPECT_EQ(failed, nullptr) << failed << "; the last error is: " << tenon_last_error();
}

TEST(CApiTest, SaysWhatTheEngineIs) {
  tenon_engine* engine = nullptr;
  ASSERT_EQ(tenon_engine_load(ExampleEngine().c_str(), &engine), TENON_OK) << tenon_last_error();
  tenon_engine_info info = TENON_ENGINE_INFO_INIT;
  ASSERT_EQ(tenon_engine_get_info(engine, &info), TENON_OK);
  EXPECT_EQ(info.input_count, 1u);
  EXPECT_EQ(info.output_count, 1u);
  EXPECT_STREQ(info.precision, "fp32");
  EXPECT_STREQ(info.device, "cpu");
  EXPECT_GT(info.weights_bytes, 4u << 20);
  EXPECT_LT(info.weights_bytes, FileBytes(ExampleEngine()).size());

  tenon_tensor_info input = TENON_TENSOR_INFO_INIT;
  ASSERT_EQ(tenon_engine_get_input(engine, 0, &input), TENON_OK);
  EXPECT_STREQ(input.name, "images");
  EXPECT_EQ(input.dtype, TENON_FLOAT32);
  EXPECT_EQ(std::vector<int64_t>(input.dims, input.dims + input.rank), (std::vector<int64_t>{1, 3, 320, 320}));
  EXPECT_EQ(input.size_bytes, 4u * 3 * 320 * 320);

  std::set<std::string> keys;
  for (size_t i = 0; i < info.metadata_count; ++i) {
    const char *key = nullptr, *value = nullptr, *found = nullptr;
    ASSERT_EQ(tenon_engine_get_metadata(engine, i, &key, &value), TENON_OK);
    ASSERT_EQ(tenon_engine_find_metadata(engine, key, &found), TENON_OK);
    EXPECT_EQ(found, value);
    keys.insert(key);
  }
  EXPECT_EQ(keys.size(), info.metadata_count);
  EXPECT_EQ(keys.count("names") + keys.count("task"), 2u);
  const char* none = "";
  EXPECT_EQ(tenon_engine_find_metadata(engine, "no such key", &none), TENON_OK);
  EXPECT_EQ(none, nullptr);
  tenon_engine_free(engine);
}

TEST(CApiTest, DevicesByName) {
  tenon_engine* engine = nullptr;
  ASSERT_EQ(tenon_engine_load_on(ExampleEngine().c_str(), "cpu", &engine), TENON_OK) << tenon_last_error();
  const std::vector<float> expected = RunC(engine);
  tenon_engine_free(engine);
  ASSERT_EQ(tenon_engine_load_on(ExampleEngine().c_str(), nullptr, &engine), TENON_OK) << tenon_last_error();
  EXPECT_EQ(RunC(engine), expected);
  tenon_engine_free(engine);
  EXPECT_EQ(tenon_engine_load_on(ExampleEngine().c_str(), "npu", &engine), TENON_INVALID_INPUT);
  EXPECT_NE(std::string(tenon_last_error()).find("npu"), std::string::npos);
  EXPECT_EQ(engine, nullptr);
  // No plan for a GPU is in it, whether there is one here or not.
  EXPECT_EQ(tenon_engine_load_on(ExampleEngine().c_str(), "cuda", &engine), TENON_UNSUPPORTED_DEVICE);
}

TEST(CApiTest, AnOlderProgramsContextInfoEndsBeforeTheNewerFields) {
  tenon_engine* engine = nullptr;
  tenon_context* context = nullptr;
  ASSERT_EQ(tenon_engine_load(ExampleEngine().c_str(), &engine), TENON_OK);
  ASSERT_EQ(tenon_context_create(engine, nullptr, &context), TENON_OK);
  tenon_context_info info = TENON_CONTEXT_INFO_INIT;
  info.device_us = -1;
  info.struct_size = offsetof(tenon_context_info, device_us);
  EXPECT_EQ(tenon_context_get_info(context, &info), TENON_OK) << tenon_last_error();
  EXPECT_GT(info.memory_bytes, 0u);
  EXPECT_EQ(info.device_us, -1);  // not written
  info.struct_size = sizeof(info);
  EXPECT_EQ(tenon_context_get_info(context, &info), TENON_OK);
  EXPECT_EQ(info.device_us, 0);
  tenon_context_free(context);
  tenon_engine_free(engine);
}

TEST(CApiTest, AnAsynchronousRunOnACpuIsDoneOnReturn) {
  const Engine engine = Engine::Load(ExampleEngine());
  Context context = engine.CreateContext({.threads = 2});
  const std::vector<float> image = RandomImage(4 * 3 * 320 * 320);
  std::vector<float> expected(11 * 2100);
  context.Run({image.data()}, {expected.data()});
  const HostMemory input = [&] {  // outlives the engine that gave it
    return Engine::Load(ExampleEngine()).AllocateHost(image.size() * sizeof(float));
  }();
  const HostMemory output = engine.AllocateHost(expected.size() * sizeof(float));
  std::memcpy(input.data(), image.data(), input.size_bytes());
  const void* inputs[] = {input.data()};
  void* outputs[] = {output.data()};
  context.RunAsync(inputs, outputs, nullptr);
  EXPECT_EQ(std::memcmp(output.data(), expected.data(), output.size_bytes()), 0);
  context.Synchronize();
  EXPECT_EQ(context.copied_bytes(), 0);
  EXPECT_EQ(context.device_us(), 0);
  std::memset(output.data(), 0xff, output.size_bytes());
  EXPECT_THROW(context.RunAsync(inputs, outputs, &context), Error);
  EXPECT_EQ(*static_cast<uint32_t*>(output.data()), 0xffffffffu);  // refused before anything ran
}

TEST(CApiTest, AFileAndItsBytesInMemoryRunAlikeAtAnyAlignment) {
  tenon_engine* from_file = nullptr;
  ASSERT_EQ(tenon_engine_load(ExampleEngine().c_str(), &from_file), TENON_OK);
  const std::vector<float> expected = RunC(from_file);
  tenon_engine_free(from_file);
  EXPECT_GT(*std::max_element(expected.begin(), expected.end()), 0.0f);

  std::vector<std::byte> bytes = FileBytes(ExampleEngine());
  const size_t size = bytes.size();
  for (const size_t shift : {0, 1, 33}) {
    bytes.resize(size + shift);
    std::memmove(bytes.data() + shift, bytes.data() + (shift == 33 ? 1 : 0), size);
    tenon_engine* engine = nullptr;
    ASSERT_EQ(tenon_engine_load_memory(bytes.data() + shift, size, &engine), TENON_OK) << tenon_last_error();
    if (shift == 33) std::memset(bytes.data(), 0, bytes.size());  // the engine has a copy
    EXPECT_EQ(RunC(engine, 2), expected);
    tenon_engine_free(engine);
  }
}

TEST(CApiTest, AContextOutlivesItsEngineAndItsEnginesFile) {
  const std::string path = Scratch() / "copy.tenon";
  std::filesystem::copy_file(ExampleEngine(), path);
  Engine engine = Engine::Load(path);
  const std::vector<float> image = RandomImage(4 * 3 * 320 * 320);
  std::vector<float> before(11 * 2100), after(11 * 2100, -1.0f);
  engine.CreateContext({.threads = 1}).Run({image.data()}, {before.data()});
  Context context = [&] {
    const Engine last = std::move(engine);
    return last.CreateContext({.threads = 2});
  }();
  std::filesystem::remove(path);
  context.Run({image.data()}, {after.data()});
  EXPECT_EQ(after, before);
}

TEST(CApiTest, TheLastErrorIsThisThreads) {
  EXPECT_EQ(tenon_context_run(nullptr), TENON_INVALID_INPUT);
  const std::string mine = tenon_last_error();
  std::string fresh = "?", theirs;
  std::thread([&] {
    fresh = tenon_last_error();
    EXPECT_EQ(tenon_engine_load("/no/such/file", std::make_unique<tenon_engine*>().get()), TENON_INVALID_INPUT);
    theirs = tenon_last_error();
  }).join();
  EXPECT_EQ(fresh, "");
  EXPECT_NE(theirs.find("/no/such/file"), std::string::npos);
  EXPECT_EQ(tenon_last_error(), mine);
}

TEST(CApiTest, CppErrorsCarryCodeAndMessage) {
  const Engine engine = Engine::Load(ExampleEngine());
  Context context = engine.CreateContext({.threads = 1});
  float one = 0;
  EXPECT_THROW(Engine::Load("/no/such/file"), Error);
  EXPECT_THROW(context.Run({&one, &one}, {&one}), Error);
  try {
    context.Run({nullptr}, {&one});
    FAIL() << "a null buffer was taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::kInvalidInput);
    EXPECT_NE(std::string(error.what()).find("images"), std::string::npos) << error.what();
  }
}

TEST(CApiTest, ThreadsThatCanNotStartAreAnError) {
  if (testing_support::kSanitized) GTEST_SKIP() << "a sanitizer needs the whole address space";
  const Engine engine = Engine::Load(ExampleEngine());
  const auto try_it = [&] {
    rlimit limit{1 << 30, 1 << 30};  // room for about a hundred stacks of 8 MB
    setrlimit(RLIMIT_AS, &limit);
    tenon_engine* handle = nullptr;
    tenon_context_options options = TENON_CONTEXT_OPTIONS_INIT;
    options.threads = 1024;
    tenon_context* context = nullptr;
    tenon_status status = tenon_engine_load(ExampleEngine().c_str(), &handle);
    if (status == TENON_OK) status = tenon_context_create(handle, &options, &context);
    std::fprintf(stderr, "status %d: %s\n", static_cast<int>(status), tenon_last_error());
    std::_Exit(0);
  };
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(try_it(), testing::ExitedWithCode(0), "status 2: .*(start a thread|out of memory)");
}

}  // namespace
}  // namespace tenon
