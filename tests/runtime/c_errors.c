/* The error paths of tenon.h, compiled as C99: what a C program would see. */
#include "runtime/c_errors.h"

#include <stdlib.h>
#include <string.h>
#include <tenon/tenon.h>

#define TEXT2(x) #x
#define TEXT(x) TEXT2(x)
#define CHECK(condition)                                             \
  do {                                                               \
    if (!(condition)) return "line " TEXT(__LINE__) ": " #condition; \
  } while (0)
/* The call fails with that status, and its message holds the words. */
#define CHECK_FAILS(call, expected, words)            \
  do {                                                \
    CHECK((call) == (expected));                      \
    CHECK(strstr(tenon_last_error(), words) != NULL); \
  } while (0)
#define TRY(check)                         \
  do {                                     \
    const char* failed_check = (check);    \
    if (failed_check) return failed_check; \
  } while (0)

static const char* CheckLoading(const c_error_files* files) {
  static const char kText[64] = "no engine";
  tenon_engine* engine = (tenon_engine*)kText;
  CHECK_FAILS(tenon_engine_load(NULL, &engine), TENON_INVALID_INPUT, "null");
  CHECK(engine == NULL);
  CHECK_FAILS(tenon_engine_load(files->engine, NULL), TENON_INVALID_INPUT, "null");
  CHECK_FAILS(tenon_engine_load(files->missing, &engine), TENON_INVALID_INPUT, files->missing);
  CHECK_FAILS(tenon_engine_load("/", &engine), TENON_INVALID_INPUT, "folder");
  CHECK_FAILS(tenon_engine_load("", &engine), TENON_INVALID_INPUT, "");
  CHECK_FAILS(tenon_engine_load(files->cut_engine, &engine), TENON_INVALID_INPUT, "cut off");
  CHECK_FAILS(tenon_engine_load(files->other_device_engine, &engine), TENON_UNSUPPORTED_DEVICE, "a machine elsewhere");
  CHECK_FAILS(tenon_engine_load_memory(kText, sizeof(kText), &engine), TENON_INVALID_INPUT, "memory");
  CHECK_FAILS(tenon_engine_load_memory(kText, 0, &engine), TENON_INVALID_INPUT, "memory");
  CHECK_FAILS(tenon_engine_load_memory(NULL, 64, &engine), TENON_INVALID_INPUT, "null");
  CHECK_FAILS(tenon_engine_load_memory(kText, SIZE_MAX, &engine), TENON_INVALID_INPUT, "");
  CHECK(engine == NULL);
  tenon_engine_free(NULL);
  return NULL;
}

static const char* CheckEngineQueries(const tenon_engine* engine) {
  tenon_engine_info info = TENON_ENGINE_INFO_INIT;
  tenon_tensor_info tensor = TENON_TENSOR_INFO_INIT;
  const char *key = NULL, *value = NULL;
  int64_t batch = 0;
  CHECK(tenon_engine_get_info(engine, &info) == TENON_OK);
  CHECK_FAILS(tenon_engine_get_info(NULL, &info), TENON_INVALID_INPUT, "null");
  CHECK_FAILS(tenon_engine_get_info(engine, NULL), TENON_INVALID_INPUT, "null");
  CHECK_FAILS(tenon_engine_get_input(NULL, 0, &tensor), TENON_INVALID_INPUT, "null");
  CHECK_FAILS(tenon_engine_get_input(engine, 0, NULL), TENON_INVALID_INPUT, "null");
  CHECK_FAILS(tenon_engine_get_input(engine, info.input_count, &tensor), TENON_INVALID_INPUT, "range");
  CHECK_FAILS(tenon_engine_get_output(engine, SIZE_MAX, &tensor), TENON_INVALID_INPUT, "range");
  CHECK_FAILS(tenon_engine_get_batch(NULL, 0, &batch), TENON_INVALID_INPUT, "null");
  CHECK_FAILS(tenon_engine_get_batch(engine, 0, NULL), TENON_INVALID_INPUT, "null");
  CHECK_FAILS(tenon_engine_get_batch(engine, 1, &batch), TENON_INVALID_INPUT, "range");
  CHECK(info.batch_count == 1 && tenon_engine_get_batch(engine, 0, &batch) == TENON_OK && batch == 1);
  CHECK_FAILS(tenon_engine_get_metadata(NULL, 0, &key, &value), TENON_INVALID_INPUT, "null");
  CHECK_FAILS(tenon_engine_get_metadata(engine, 0, NULL, &value), TENON_INVALID_INPUT, "null");
  CHECK_FAILS(tenon_engine_get_metadata(engine, 0, &key, NULL), TENON_INVALID_INPUT, "null");
  CHECK_FAILS(tenon_engine_get_metadata(engine, info.metadata_count, &key, &value), TENON_INVALID_INPUT, "range");
  CHECK_FAILS(tenon_engine_find_metadata(NULL, "names", &value), TENON_INVALID_INPUT, "null");
  CHECK_FAILS(tenon_engine_find_metadata(engine, NULL, &value), TENON_INVALID_INPUT, "null");
  CHECK_FAILS(tenon_engine_find_metadata(engine, "names", NULL), TENON_INVALID_INPUT, "null");
  return NULL;
}

static const char* CheckStructSizes(const tenon_engine* engine) {
  struct {
    tenon_context_options options;
    int32_t of_a_newer_version;
    int32_t padding;
  } newer = {TENON_CONTEXT_OPTIONS_INIT, 0, 0};
  struct {
    tenon_engine_info info;
    int64_t of_a_newer_version;
  } newer_info = {TENON_ENGINE_INFO_INIT, -1};
  tenon_context* context = NULL;

  newer.options.struct_size = 0;
  CHECK_FAILS(tenon_context_create(engine, &newer.options, &context), TENON_INVALID_INPUT, "struct_size");
  newer.options.struct_size = sizeof(newer.options) - 1;
  CHECK_FAILS(tenon_context_create(engine, &newer.options, &context), TENON_INVALID_INPUT, "struct_size");
  newer.options.struct_size = SIZE_MAX;
  CHECK_FAILS(tenon_context_create(engine, &newer.options, &context), TENON_INVALID_INPUT, "struct_size");
  newer.options.struct_size = sizeof(newer);
  newer.of_a_newer_version = 1;
  CHECK_FAILS(tenon_context_create(engine, &newer.options, &context), TENON_INVALID_INPUT, "doesn't know");
  CHECK(context == NULL);
  newer.of_a_newer_version = 0;
  newer.options.threads = 1;
  CHECK(tenon_context_create(engine, &newer.options, &context) == TENON_OK);
  tenon_context_free(context);

  newer_info.info.struct_size = 8;
  CHECK_FAILS(tenon_engine_get_info(engine, &newer_info.info), TENON_INVALID_INPUT, "struct_size");
  CHECK(newer_info.of_a_newer_version == -1);
  newer_info.info.struct_size = sizeof(newer_info);
  CHECK(tenon_engine_get_info(engine, &newer_info.info) == TENON_OK);
  CHECK(newer_info.of_a_newer_version == 0 && newer_info.info.struct_size == sizeof(newer_info));
  CHECK(newer_info.info.input_count == 1);
  return NULL;
}

static const char* CheckOptions(const tenon_engine* engine) {
  tenon_context_options options = TENON_CONTEXT_OPTIONS_INIT;
  tenon_context* context = NULL;
  CHECK_FAILS(tenon_context_create(NULL, &options, &context), TENON_INVALID_INPUT, "null");
  CHECK_FAILS(tenon_context_create(engine, &options, NULL), TENON_INVALID_INPUT, "null");
  options.threads = -1;
  CHECK_FAILS(tenon_context_create(engine, &options, &context), TENON_INVALID_INPUT, "threads");
  options.threads = 1000000;
  CHECK_FAILS(tenon_context_create(engine, &options, &context), TENON_INVALID_INPUT, "threads");
  options.threads = 1;
  options.batch = -1;
  CHECK_FAILS(tenon_context_create(engine, &options, &context), TENON_INVALID_INPUT, "batch -1");
  options.batch = 2;
  CHECK_FAILS(tenon_context_create(engine, &options, &context), TENON_INVALID_INPUT, "batch 2, expected at most 1");
  CHECK(context == NULL);
  tenon_context_free(NULL);
  return NULL;
}

static const char* CheckBinding(tenon_context* context, const tenon_tensor_info* input, const tenon_tensor_info* output,
                                void* image, void* scores) {
  CHECK_FAILS(tenon_context_run(context), TENON_INVALID_INPUT, input->name);
  CHECK_FAILS(tenon_context_run_async(context, NULL), TENON_INVALID_INPUT, input->name);
  CHECK_FAILS(tenon_context_bind_input(NULL, 0, image, input->size_bytes), TENON_INVALID_INPUT, "null");
  CHECK_FAILS(tenon_context_bind_input(context, 0, NULL, input->size_bytes), TENON_INVALID_INPUT, "null");
  CHECK_FAILS(tenon_context_bind_input(context, 1, image, input->size_bytes), TENON_INVALID_INPUT, "no such input");
  CHECK_FAILS(tenon_context_bind_input(context, 0, image, input->size_bytes - 1), TENON_INVALID_INPUT, "doesn't fit");
  CHECK_FAILS(tenon_context_bind_input(context, 0, image, input->size_bytes * 2), TENON_INVALID_INPUT, "doesn't fit");
  CHECK_FAILS(tenon_context_bind_input_by_name(context, NULL, image, input->size_bytes), TENON_INVALID_INPUT, "null");
  CHECK_FAILS(tenon_context_bind_input_by_name(context, "x", image, input->size_bytes), TENON_INVALID_INPUT,
              input->name);
  CHECK_FAILS(tenon_context_bind_input_by_name(NULL, input->name, image, input->size_bytes), TENON_INVALID_INPUT,
              "null");
  CHECK(tenon_context_bind_input_by_name(context, input->name, image, input->size_bytes) == TENON_OK);

  CHECK_FAILS(tenon_context_run(context), TENON_INVALID_INPUT, output->name);
  CHECK_FAILS(tenon_context_run_async(context, NULL), TENON_INVALID_INPUT, output->name);
  CHECK_FAILS(tenon_context_bind_output(NULL, 0, scores, output->size_bytes), TENON_INVALID_INPUT, "null");
  CHECK_FAILS(tenon_context_bind_output(context, 0, NULL, output->size_bytes), TENON_INVALID_INPUT, "null");
  CHECK_FAILS(tenon_context_bind_output(context, 1, scores, output->size_bytes), TENON_INVALID_INPUT, "no such output");
  CHECK_FAILS(tenon_context_bind_output(context, 0, scores, 0), TENON_INVALID_INPUT, "doesn't fit");
  CHECK_FAILS(tenon_context_bind_output_by_name(context, "x", scores, output->size_bytes), TENON_INVALID_INPUT,
              output->name);
  CHECK_FAILS(tenon_context_bind_output_by_name(NULL, output->name, scores, output->size_bytes), TENON_INVALID_INPUT,
              "null");
  CHECK_FAILS(tenon_context_bind_output_by_name(context, NULL, scores, output->size_bytes), TENON_INVALID_INPUT,
              "null");
  CHECK(tenon_context_bind_output(context, 0, scores, output->size_bytes) == TENON_OK);
  return NULL;
}

static const char* CheckRunning(tenon_context* context, size_t step_count) {
  double step_us[1024];
  tenon_context_info info = TENON_CONTEXT_INFO_INIT;
  tenon_tensor_info tensor = TENON_TENSOR_INFO_INIT;
  CHECK(step_count > 0 && step_count < 1024);
  CHECK_FAILS(tenon_context_run(NULL), TENON_INVALID_INPUT, "null");
  CHECK_FAILS(tenon_context_run_timed(NULL, step_us, step_count), TENON_INVALID_INPUT, "null");
  CHECK_FAILS(tenon_context_run_timed(context, NULL, step_count), TENON_INVALID_INPUT, "null");
  CHECK_FAILS(tenon_context_run_timed(context, step_us, step_count + 1), TENON_INVALID_INPUT, "steps");
  CHECK_FAILS(tenon_context_run_async(NULL, NULL), TENON_INVALID_INPUT, "null");
  CHECK_FAILS(tenon_context_run_async(context, &info), TENON_INVALID_INPUT, "doesn't run on a GPU");
  CHECK_FAILS(tenon_context_synchronize(NULL), TENON_INVALID_INPUT, "null");
  CHECK_FAILS(tenon_context_get_info(NULL, &info), TENON_INVALID_INPUT, "null");
  CHECK_FAILS(tenon_context_get_info(context, NULL), TENON_INVALID_INPUT, "null");
  CHECK_FAILS(tenon_context_get_input(NULL, 0, &tensor), TENON_INVALID_INPUT, "null");
  CHECK_FAILS(tenon_context_get_input(context, 1, &tensor), TENON_INVALID_INPUT, "range");
  CHECK_FAILS(tenon_context_get_output(context, 0, NULL), TENON_INVALID_INPUT, "null");
  CHECK(tenon_context_get_output(context, 0, &tensor) == TENON_OK && tensor.dims[0] == 1);
  CHECK(tenon_context_run(context) == TENON_OK); /* none of the failures did harm */
  CHECK(tenon_context_run_timed(context, step_us, step_count) == TENON_OK);
  CHECK(tenon_context_run_async(context, NULL) == TENON_OK);
  CHECK(tenon_context_synchronize(context) == TENON_OK);
  return NULL;
}

static const char* CheckHostMemory(const tenon_engine* engine) {
  char other[64];
  void* memory = other;
  CHECK_FAILS(tenon_host_alloc(NULL, 64, &memory), TENON_INVALID_INPUT, "null");
  CHECK(memory == NULL);
  CHECK_FAILS(tenon_host_alloc(engine, 64, NULL), TENON_INVALID_INPUT, "null");
  CHECK_FAILS(tenon_host_alloc(engine, SIZE_MAX, &memory), TENON_INVALID_INPUT, "memory");
  CHECK_FAILS(tenon_host_alloc(engine, SIZE_MAX / 4, &memory), TENON_UNSUPPORTED_DEVICE, "memory");
  CHECK(memory == NULL);
  CHECK(tenon_host_alloc(engine, 0, &memory) == TENON_OK && memory != NULL);
  CHECK(tenon_host_free(memory) == TENON_OK);
  CHECK(tenon_host_alloc(engine, 1000, &memory) == TENON_OK);
  CHECK((uintptr_t)memory % 64 == 0);
  memset(memory, 1, 1000);
  CHECK_FAILS(tenon_host_free((char*)memory + 1), TENON_INVALID_INPUT, "didn't give");
  CHECK_FAILS(tenon_host_free(other), TENON_INVALID_INPUT, "didn't give");
  CHECK(tenon_host_free(memory) == TENON_OK);
  CHECK_FAILS(tenon_host_free(memory), TENON_INVALID_INPUT, "freed already");
  CHECK(tenon_host_free(NULL) == TENON_OK);
  return NULL;
}

static const char* CheckContext(const tenon_engine* engine) {
  tenon_engine_info info = TENON_ENGINE_INFO_INIT;
  tenon_tensor_info input = TENON_TENSOR_INFO_INIT, output = TENON_TENSOR_INFO_INIT;
  tenon_context* context = NULL;
  const char* failed;
  void *image, *scores;
  CHECK(tenon_engine_get_info(engine, &info) == TENON_OK);
  CHECK(tenon_engine_get_input(engine, 0, &input) == TENON_OK);
  CHECK(tenon_engine_get_output(engine, 0, &output) == TENON_OK);
  CHECK(tenon_context_create(engine, NULL, &context) == TENON_OK);
  image = calloc(1, input.size_bytes);
  scores = calloc(1, output.size_bytes);
  failed = CheckBinding(context, &input, &output, image, scores);
  if (!failed) failed = CheckRunning(context, info.step_count);
  tenon_context_free(context);
  free(image);
  free(scores);
  return failed;
}

const char* CheckCErrors(const c_error_files* files) {
  tenon_engine* engine = NULL;
  TRY(CheckLoading(files));
  CHECK(tenon_engine_load(files->engine, &engine) == TENON_OK);
  TRY(CheckEngineQueries(engine));
  TRY(CheckStructSizes(engine));
  TRY(CheckOptions(engine));
  TRY(CheckContext(engine));
  TRY(CheckHostMemory(engine));
  tenon_engine_free(engine);
  return NULL;
}
