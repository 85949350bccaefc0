#include "backends/cuda/shared_library.h"

#include <dlfcn.h>

namespace tenon::cuda {

SharedLibrary::SharedLibrary(const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    handle_ = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL);
    if (handle_ != nullptr) {
      name_ = name;
      error_.clear();
      return;
    }
    const char* reason = dlerror();
    error_ = reason == nullptr ? "unknown reason" : reason;
  }
}

void* SharedLibrary::Find(const char* symbol) const { return handle_ == nullptr ? nullptr : dlsym(handle_, symbol); }

}  // namespace tenon::cuda
