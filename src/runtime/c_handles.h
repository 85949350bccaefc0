#pragma once
#include <memory>
#include <vector>

#include "runtime/executable.h"

/// The C API's handles. An engine's executable is shared with its contexts, which may outlive it.
struct tenon_engine {
  std::shared_ptr<const tenon::internal::Executable> executable;
};

struct tenon_context {
  std::shared_ptr<const tenon::internal::Executable> executable;
  std::unique_ptr<tenon::internal::Execution> execution;
  std::vector<const void*> inputs;  ///< bound buffers; null: none yet
  std::vector<void*> outputs;
};
