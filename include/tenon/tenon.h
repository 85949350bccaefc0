/*
 * Tenon's C API: load an engine and run it. C99; libtenon.so exports these functions and nothing else.
 *
 *   tenon_engine* engine = NULL;
 *   tenon_context* context = NULL;
 *   tenon_status status = tenon_engine_load("best.tenon", &engine);
 *   if (status == TENON_OK) status = tenon_context_create(engine, NULL, &context);
 *   if (status == TENON_OK) status = tenon_context_bind_input(context, 0, image, image_bytes);
 *   if (status == TENON_OK) status = tenon_context_bind_output(context, 0, scores, scores_bytes);
 *   if (status == TENON_OK) status = tenon_context_run(context);
 *   if (status != TENON_OK) fprintf(stderr, "error: %s\n", tenon_last_error());
 *   tenon_context_free(context);
 *   tenon_engine_free(engine);
 *
 * Errors. Functions that can fail give a tenon_status and leave a sentence in tenon_last_error(). No argument makes
 * them crash by being null, out of range or an unreadable file; no C++ exception leaves them. After a failure the
 * objects are as before the call, except that a failed run leaves the contents of the output buffers undefined.
 *
 * Ownership. What a *_load or *_create function gives is freed by its *_free function, in any order: a context keeps
 * what it needs of its engine. Strings and dims in info structs belong to the engine and live until tenon_engine_free.
 * Buffers are the caller's; bound ones must live until the last run that uses them.
 *
 * Threads. An engine is immutable: any number of threads may use it at once. A context is used by one thread at a time;
 * contexts of one engine run side by side and share its weights. Freeing an object while another thread uses it is an
 * error that can't be detected.
 *
 * Versions. Structs begin with struct_size, which the caller sets to sizeof (the *_INIT macros do). The library reads
 * and writes that many bytes at most, so programs built against older headers keep working; a newer program on an older
 * library gets TENON_INVALID_INPUT where it sets an option that this library doesn't know, and zeros in info fields.
 */
#ifndef TENON_TENON_H_
#define TENON_TENON_H_

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define TENON_API __attribute__((visibility("default")))
#else
#define TENON_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Why a call failed; the numbers are the exit statuses of the command line. */
typedef int32_t tenon_status;
enum {
  TENON_OK = 0,
  TENON_GATE_FAILED = 1,        /* a check failed (the command line's; no function here gives it) */
  TENON_INVALID_INPUT = 2,      /* the caller's file, argument or data is at fault, or memory is short */
  TENON_UNSUPPORTED_DEVICE = 3, /* this machine can't run the engine */
  TENON_INTERNAL = 70,          /* a bug in Tenon */
  TENON_INTERRUPTED = 130       /* Ctrl-C (the command line's) */
};

/* Element types, little-endian. TENON_BOOL is one byte, 0 or 1. */
typedef int32_t tenon_dtype;
enum {
  TENON_FLOAT32 = 0,
  TENON_FLOAT16 = 1,
  TENON_BFLOAT16 = 2,
  TENON_FLOAT64 = 3,
  TENON_INT8 = 4,
  TENON_UINT8 = 5,
  TENON_INT32 = 6,
  TENON_INT64 = 7,
  TENON_BOOL = 8
};

typedef struct tenon_engine tenon_engine;
typedef struct tenon_context tenon_context;

/* The library's version, "0.1.0". */
TENON_API const char* tenon_version(void);

/*
 * What the last failed call on this thread said, one line: what failed (where): got X, expected Y. What to try. "" when
 * none failed. Valid until the next call that fails on this thread.
 */
TENON_API const char* tenon_last_error(void);

/* ---- Engines ---- */

/*
 * Maps an engine file, checks all of it and makes its plan for this machine ready. The file must not be changed while
 * the engine lives (replace it by renaming); the weights stay in it, so that processes share them. TENON_INVALID_INPUT:
 * no file, or a damaged one. TENON_UNSUPPORTED_DEVICE: no plan for this machine; the message lists those that it has.
 */
TENON_API tenon_status tenon_engine_load(const char* path, tenon_engine** engine);

/*
 * As tenon_engine_load, for the device of that name: "cpu", "cuda" or "cuda:1". NULL: a GPU that the engine has a plan
 * for where there is one, else the CPU, which is what tenon_engine_load does. TENON_INVALID_INPUT: no such name.
 */
TENON_API tenon_status tenon_engine_load_on(const char* path, const char* device, tenon_engine** engine);

/* As tenon_engine_load, from an engine file's bytes, of any alignment. They are copied. */
TENON_API tenon_status tenon_engine_load_memory(const void* data, size_t size_bytes, tenon_engine** engine);

/* NULL is allowed. */
TENON_API void tenon_engine_free(tenon_engine* engine);

typedef struct tenon_engine_info {
  size_t struct_size;
  size_t input_count;
  size_t output_count;
  size_t metadata_count;
  size_t step_count;      /* kernel launches of one run, at the smallest batch size */
  uint64_t weights_bytes; /* held once, whatever the number of contexts */
  const char* precision;  /* "fp32", "half", "int8" */
  const char* device;     /* "cpu", "cuda" */
  size_t batch_count;     /* since 0.1.1: batch sizes that it was built for (tenon export --batch 1,8,32) */
  uint64_t code_bytes; /* since 0.1.1: what loading took beside the weights: of a GPU's memory kernels and rounding, on a
                          CPU weights that were transformed (Winograd) */
} tenon_engine_info;
#define TENON_ENGINE_INFO_INIT \
  { sizeof(tenon_engine_info), 0, 0, 0, 0, 0, NULL, NULL, 0, 0 }

TENON_API tenon_status tenon_engine_get_info(const tenon_engine* engine, tenon_engine_info* info);

/* A dense, row-major tensor. */
typedef struct tenon_tensor_info {
  size_t struct_size;
  const char* name;
  const int64_t* dims; /* rank of them, outermost first */
  int32_t rank;        /* 0: a scalar */
  tenon_dtype dtype;
  size_t size_bytes; /* of a buffer for it */
} tenon_tensor_info;
#define TENON_TENSOR_INFO_INIT \
  { sizeof(tenon_tensor_info), NULL, NULL, 0, TENON_FLOAT32, 0 }

/* One of the engine's batch sizes, in ascending order. */
TENON_API tenon_status tenon_engine_get_batch(const tenon_engine* engine, size_t index, int64_t* batch);

/* For the smallest batch size; tenon_context_get_input and tenon_context_get_output say them for a context's. */
TENON_API tenon_status tenon_engine_get_input(const tenon_engine* engine, size_t index, tenon_tensor_info* info);
TENON_API tenon_status tenon_engine_get_output(const tenon_engine* engine, size_t index, tenon_tensor_info* info);

/* The source model's metadata: names, task, stride, imgsz, ... ; UTF-8. Entries are in the order of their keys. */
TENON_API tenon_status tenon_engine_get_metadata(const tenon_engine* engine, size_t index, const char** key,
                                                 const char** value);
/* *value is NULL, and the status TENON_OK, when there is no such key. */
TENON_API tenon_status tenon_engine_find_metadata(const tenon_engine* engine, const char* key, const char** value);

/* ---- Contexts: the memory and threads of one stream of runs ---- */

typedef struct tenon_context_options {
  size_t struct_size;
  int32_t threads; /* that one run uses, the caller's included; 0: all cores; at most 1024 */
  int32_t batch;   /* since 0.1.1: images of one run; the context gets the smallest batch size that holds so many, and a
                      run   always computes all its places. 0: the engine's smallest */
} tenon_context_options;
#define TENON_CONTEXT_OPTIONS_INIT \
  { sizeof(tenon_context_options), 0, 0 }

/* options: NULL for the defaults. TENON_INVALID_INPUT: more threads than may be, or a batch that no size holds. */
TENON_API tenon_status tenon_context_create(const tenon_engine* engine, const tenon_context_options* options,
                                            tenon_context** context);
/* NULL is allowed. */
TENON_API void tenon_context_free(tenon_context* context);

typedef struct tenon_context_info {
  size_t struct_size;
  uint64_t memory_bytes; /* of activations and scratch memory that this context holds; on a GPU with its own inputs and
                            outputs, in the blocks of 2 MiB that its driver counts */
  int32_t threads;
  int32_t batch;    /* since 0.1.1: places of a run */
  double device_us; /* since 0.1.1: of the last run on a GPU that was waited for, without copies to and from it; 0 on a CPU
                       or before a run */
  uint64_t copied_bytes; /* since 0.1.1: by the last run, between bound buffers and the GPU's memory; 0 where all were used
                            in place */
  size_t step_count;     /* since 0.1.1: kernel launches of one run of this context's batch size */
} tenon_context_info;
#define TENON_CONTEXT_INFO_INIT \
  { sizeof(tenon_context_info), 0, 0, 0, 0, 0, 0 }

TENON_API tenon_status tenon_context_get_info(const tenon_context* context, tenon_context_info* info);

/* The tensors of the context's batch size. */
TENON_API tenon_status tenon_context_get_input(const tenon_context* context, size_t index, tenon_tensor_info* info);
TENON_API tenon_status tenon_context_get_output(const tenon_context* context, size_t index, tenon_tensor_info* info);

/*
 * Says where the next runs read an input or write an output. size_bytes must be the tensor's. A binding stays until it is
 * replaced. Outputs must overlap neither each other nor the inputs.
 *
 * On a CPU runs use the buffers in place, at any alignment. On a GPU a buffer may be in host memory or in any GPU's:
 * memory of this very GPU whose address is a multiple of 64 is used in place; other memory is copied, beside the host
 * where it is a GPU's or pinned (tenon_host_alloc). The first run on a new set of device buffers takes longer, since the
 * run is recorded for them; the 16 sets used last are remembered, so take turns among a few.
 */
TENON_API tenon_status tenon_context_bind_input(tenon_context* context, size_t index, const void* data,
                                                size_t size_bytes);
TENON_API tenon_status tenon_context_bind_output(tenon_context* context, size_t index, void* data, size_t size_bytes);
TENON_API tenon_status tenon_context_bind_input_by_name(tenon_context* context, const char* name, const void* data,
                                                        size_t size_bytes);
TENON_API tenon_status tenon_context_bind_output_by_name(tenon_context* context, const char* name, void* data,
                                                         size_t size_bytes);

/* Runs once on the bound buffers; waits for no stream of the caller's. TENON_INVALID_INPUT when one isn't bound. */
TENON_API tenon_status tenon_context_run(tenon_context* context);

/*
 * Puts a run on the bound buffers into a stream and returns: it starts when what is in the stream is done, and behind the
 * context's earlier runs in whatever stream. stream: a cudaStream_t or CUstream of the engine's GPU (of its primary
 * context, which is what CUDA's runtime uses); NULL is CUDA's default stream. What the run computes is what
 * tenon_context_run does, bit by bit. The buffers must stay as they are until it is done; bindings may be replaced at once.
 * With a buffer in pageable host memory the call may wait for its copy.
 *
 * On a CPU engine stream must be NULL, and the run is done when the call returns.
 *
 * TENON_INVALID_INPUT: a buffer isn't bound; the stream is of another GPU or context, or is being recorded into a CUDA
 * graph. What fails later is said by tenon_context_synchronize.
 */
TENON_API tenon_status tenon_context_run_async(tenon_context* context, void* stream);

/*
 * Waits for all runs of the context; the status is that of what failed in them. Not needed where the program waits for its
 * stream itself, but for steps that a GPU engine computes on the host (inspect names them): only this tells their errors.
 */
TENON_API tenon_status tenon_context_synchronize(tenon_context* context);

/* As tenon_context_run; step_us gets each step's time in microseconds. step_count must be the context's. */
TENON_API tenon_status tenon_context_run_timed(tenon_context* context, double* step_us, size_t step_count);

/* ---- Host memory for copies that run beside the host ---- */

/*
 * Memory for inputs and outputs, 64-byte aligned: pinned for an engine on a GPU (copies from and to it are asynchronous and
 * faster), ordinary for one on a CPU. It may be used with every engine and outlive this one. TENON_UNSUPPORTED_DEVICE: so
 * much isn't free, or can't be pinned.
 */
TENON_API tenon_status tenon_host_alloc(const tenon_engine* engine, size_t size_bytes, void** memory);
/* NULL is allowed. TENON_INVALID_INPUT: what tenon_host_alloc didn't give, or what is freed already. */
TENON_API tenon_status tenon_host_free(void* memory);

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* TENON_TENON_H_ */
