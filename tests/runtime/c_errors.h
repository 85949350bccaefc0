#ifndef TENON_TESTS_RUNTIME_C_ERRORS_H_
#define TENON_TESTS_RUNTIME_C_ERRORS_H_

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
  const char *engine, *cut_engine, *other_device_engine, *missing;
} c_error_files;

/* Calls every function of tenon.h in every wrong way; NULL, or the first check that failed. */
const char* CheckCErrors(const c_error_files* files);

#ifdef __cplusplus
}
#endif
#endif
