/*
 * Runs an engine through Tenon's C API: run_engine ENGINE [INPUT.raw [OUTPUT.raw]]
 * INPUT.raw: the first input's elements, dense and little-endian; without it all inputs are zeros. OUTPUT.raw gets the
 * first output's. Prints what the engine is, its tensors, and each float32 output's smallest and largest element.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tenon/tenon.h>

/* Everything that main must free. */
typedef struct {
  tenon_engine* engine;
  tenon_context* context;
  size_t buffer_count;
  void** buffers; /* the inputs', then the outputs' */
} session;

static int fail_with(tenon_status status, const char* message) {
  fprintf(stderr, "error: %s\n", message);
  return (int)status;
}

static int fail(tenon_status status) { return fail_with(status, tenon_last_error()); }

static void print_tensor(const char* kind, const tenon_tensor_info* info) {
  int32_t i;
  printf("%s %s: ", kind, info->name);
  for (i = 0; i < info->rank; ++i) printf("%s%lld", i ? "x" : "", (long long)info->dims[i]);
  printf(", element type %d, %lu bytes\n", (int)info->dtype, (unsigned long)info->size_bytes);
}

/* Allocates a zeroed buffer for each tensor and binds it. */
static int bind_buffers(session* s, const tenon_engine_info* engine) {
  size_t i;
  s->buffers = calloc(engine->input_count + engine->output_count, sizeof(void*));
  if (!s->buffers) return fail_with(TENON_INVALID_INPUT, "out of memory");
  for (i = 0; i < engine->input_count + engine->output_count; ++i) {
    const int is_input = i < engine->input_count;
    const size_t index = is_input ? i : i - engine->input_count;
    tenon_tensor_info info = TENON_TENSOR_INFO_INIT;
    tenon_status status =
        is_input ? tenon_engine_get_input(s->engine, index, &info) : tenon_engine_get_output(s->engine, index, &info);
    if (status != TENON_OK) return fail(status);
    print_tensor(is_input ? "input" : "output", &info);
    s->buffers[i] = calloc(1, info.size_bytes ? info.size_bytes : 1);
    if (!s->buffers[i]) return fail_with(TENON_INVALID_INPUT, "out of memory");
    s->buffer_count = i + 1;
    status = is_input ? tenon_context_bind_input(s->context, index, s->buffers[i], info.size_bytes)
                      : tenon_context_bind_output_by_name(s->context, info.name, s->buffers[i], info.size_bytes);
    if (status != TENON_OK) return fail(status);
  }
  return 0;
}

static int read_input(const session* s, const char* path) {
  tenon_tensor_info info = TENON_TENSOR_INFO_INIT;
  const tenon_status status = tenon_engine_get_input(s->engine, 0, &info);
  FILE* file;
  size_t read;
  if (status != TENON_OK) return fail(status);
  file = fopen(path, "rb");
  if (!file) return fail_with(TENON_INVALID_INPUT, "can't open the input file");
  read = fread(s->buffers[0], 1, info.size_bytes, file);
  fclose(file);
  return read == info.size_bytes ? 0 : fail_with(TENON_INVALID_INPUT, "the input file is too short");
}

static int write_output(const session* s, size_t input_count, const char* path) {
  tenon_tensor_info info = TENON_TENSOR_INFO_INIT;
  const tenon_status status = tenon_engine_get_output(s->engine, 0, &info);
  FILE* file;
  size_t written;
  if (status != TENON_OK) return fail(status);
  file = fopen(path, "wb");
  if (!file) return fail_with(TENON_INVALID_INPUT, "can't open the output file");
  written = fwrite(s->buffers[input_count], 1, info.size_bytes, file);
  if (fclose(file) != 0 || written != info.size_bytes)
    return fail_with(TENON_INVALID_INPUT, "can't write the output file");
  return 0;
}

static void print_range(const tenon_tensor_info* info, const float* values) {
  const size_t count = info->size_bytes / sizeof(float);
  float least, most;
  size_t i;
  if (info->dtype != TENON_FLOAT32 || count == 0) return;
  least = most = values[0];
  for (i = 1; i < count; ++i) {
    if (values[i] < least) least = values[i];
    if (values[i] > most) most = values[i];
  }
  printf("%s: %g to %g\n", info->name, least, most);
}

static int run(session* s, int argc, char** argv) {
  tenon_engine_info engine = TENON_ENGINE_INFO_INIT;
  tenon_context_options options = TENON_CONTEXT_OPTIONS_INIT;
  tenon_status status;
  const char* task = NULL;
  int failed;
  size_t i;

  if ((status = tenon_engine_load(argv[1], &s->engine)) != TENON_OK) return fail(status);
  if ((status = tenon_engine_get_info(s->engine, &engine)) != TENON_OK) return fail(status);
  if ((status = tenon_engine_find_metadata(s->engine, "task", &task)) != TENON_OK) return fail(status);
  printf("tenon %s: %s on %s, task %s\n", tenon_version(), engine.precision, engine.device, task ? task : "unknown");

  options.threads = 2;
  if ((status = tenon_context_create(s->engine, &options, &s->context)) != TENON_OK) return fail(status);
  if ((failed = bind_buffers(s, &engine)) != 0) return failed;
  if (argc > 2 && (failed = read_input(s, argv[2])) != 0) return failed;
  if ((status = tenon_context_run(s->context)) != TENON_OK) return fail(status);

  for (i = 0; i < engine.output_count; ++i) {
    tenon_tensor_info info = TENON_TENSOR_INFO_INIT;
    if ((status = tenon_engine_get_output(s->engine, i, &info)) != TENON_OK) return fail(status);
    print_range(&info, s->buffers[engine.input_count + i]);
  }
  return argc > 3 ? write_output(s, engine.input_count, argv[3]) : 0;
}

int main(int argc, char** argv) {
  session s;
  int result;
  size_t i;
  if (argc < 2 || argc > 4) {
    fprintf(stderr, "usage: run_engine ENGINE [INPUT.raw [OUTPUT.raw]]\n");
    return TENON_INVALID_INPUT;
  }
  memset(&s, 0, sizeof(s));
  result = run(&s, argc, argv);
  tenon_context_free(s.context);
  tenon_engine_free(s.engine);
  for (i = 0; i < s.buffer_count; ++i) free(s.buffers[i]);
  free(s.buffers);
  return result;
}
