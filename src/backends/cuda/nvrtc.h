#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "backends/cuda/kernel_source.h"
#include "backends/cuda/shared_library.h"
#include "base/hash.h"

namespace tenon::cuda {

/// Machine code for one compute capability and what its compiler reported of it.
struct Cubin {
  std::vector<std::byte> code;
  std::string log;  ///< registers, spills and shared memory, as ptxas writes them; warnings
};

struct CompileOptions {
  int capability = 80;       ///< 90 compiles for sm_90a: an engine is for the exact GPU
  std::string cache_folder;  ///< empty: no cache
};

/// CUDA's run-time compiler, opened at run time. Immutable; Compile may be called from many threads at once.
class Nvrtc {
 public:
  /// Opens the library once per process. Throws Error(kUnsupportedDevice) where there is none: only builds need it.
  static const Nvrtc& Get();
  explicit Nvrtc(const std::vector<std::string>& names);

  int version() const { return version_; }  ///< 13000 for 13.0
  /// The compute capabilities that it compiles for.
  std::vector<int> Capabilities() const;

  /// One kernel, through the cache. Throws Error(kInternal) with the compiler's words where it refuses the text.
  Cubin Compile(const KernelSource& source, const CompileOptions& options) const;
  /// All of them on `threads` threads, in the order of `sources`; the first failure is thrown. Equal sources are compiled
  /// once. `done` is called after each, from one thread at a time.
  std::vector<Cubin> CompileAll(const std::vector<KernelSource>& sources, const CompileOptions& options, int threads,
                                const std::function<void()>& done = {}) const;

 private:
  struct Api;
  Cubin CompileUncached(const KernelSource& source, int capability) const;

  std::shared_ptr<const Api> api_;
  int version_ = 0;
};

/// "sm_90a" for 90, "sm_86" for 86: features of exactly this GPU where it has such.
std::string ArchitectureOf(int capability);
/// Digest of everything that a kernel is made of but GPU and compiler: its text, all texts it may include, options.
/// Code in an engine is found by it, so that no other version's kernels run by mistake.
Digest SourceDigest(const KernelSource& source);
/// The cache's key: a digest of the text, all texts it may include, options and compiler version.
std::string CacheKey(const KernelSource& source, int capability, int nvrtc_version);

}  // namespace tenon::cuda
