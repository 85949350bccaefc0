#pragma once
#include <memory>
#include <vector>

#include "runtime/executable.h"

/// The C API's handles. An engine's executables are shared with its contexts, which may outlive it.
struct tenon_engine {
  std::vector<std::shared_ptr<const tenon::internal::Executable>> executables;  ///< at least one; ascending batch sizes
  const tenon::internal::Executable& first() const { return *executables.front(); }
};

struct tenon_context {
  std::shared_ptr<const tenon::internal::Executable> executable;
  std::unique_ptr<tenon::internal::Execution> execution;
  std::vector<const void*> inputs;  ///< bound buffers; null: none yet
  std::vector<void*> outputs;
};

namespace tenon::internal {

/// Throws Error(kInvalidInput), naming `what` there are `count` of, when `index` isn't one of them.
void CheckIndex(size_t index, size_t count, const char* what);

/// Fills a caller's struct with one of the tensors. Throws as CheckIndex and WriteInfo do.
void DescribeTensor(const std::vector<TensorInfo>& tensors, size_t index, const char* what, tenon_tensor_info* info);

}  // namespace tenon::internal
