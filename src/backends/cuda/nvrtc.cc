#include "backends/cuda/nvrtc.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <exception>
#include <filesystem>
#include <map>
#include <mutex>
#include <optional>
#include <thread>

#include "backends/cuda/driver.h"
#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/interrupt.h"

namespace tenon::cuda {
namespace {

/// Options that don't depend on the GPU. No contraction: where a multiply-add is meant the kernels say so, and two
/// tactics can't differ in what the compiler contracted.
constexpr const char* kOptions[] = {
    "--std=c++17",        "--fmad=false", "--device-as-default-execution-space",
    "--ptxas-options=-v", "--restrict",   "--diag-suppress=177"};  // constants that a kernel has no use for

std::string CachePath(const std::string& folder, const std::string& key) { return folder + "/" + key + ".cubin"; }

std::optional<Cubin> ReadCached(const std::string& path) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored)) return std::nullopt;
  const MappedFile file(path);
  const std::span<const std::byte> bytes = file.bytes();
  // A cubin is an ELF file; the log follows it behind its length.
  uint64_t code_bytes = 0;
  if (bytes.size() < 12) return std::nullopt;
  std::memcpy(&code_bytes, bytes.data(), 8);
  if (code_bytes > bytes.size() - 8 || std::memcmp(bytes.data() + 8,
                                                   "\x7f"
                                                   "ELF",
                                                   4) != 0)
    return std::nullopt;
  Cubin cubin;
  cubin.code.assign(bytes.begin() + 8, bytes.begin() + 8 + static_cast<ptrdiff_t>(code_bytes));
  const auto log = bytes.subspan(8 + code_bytes);
  cubin.log.assign(reinterpret_cast<const char*>(log.data()), log.size());
  return cubin;
}

void WriteCached(const std::string& folder, const std::string& path, const Cubin& cubin) {
  const uint64_t code_bytes = cubin.code.size();
  const std::span<const std::byte> chunks[] = {std::as_bytes(std::span(&code_bytes, 1)), cubin.code,
                                               std::as_bytes(std::span(cubin.log))};
  try {
    MakeOutputFolder(folder);
    WriteFileAtomically(path, chunks);
  } catch (const Error& error) {
    if (error.code() == ErrorCode::kInterrupted) throw;  // else: a cache that can't be written is only slower
  }
}

}  // namespace

struct Nvrtc::Api {
  using Program = struct ProgramTag*;  ///< nvrtcProgram
  using NvrtcResult = int;

  explicit Api(const std::vector<std::string>& names) : library(names) {
    if (!library.is_open())
      ThrowUnsupported({.what = "NVRTC, CUDA's run-time compiler, is not on this machine",
                        .where = library.error(),
                        .hint = "Building an engine for a GPU needs it: install libnvrtc (CUDA 12 or 13), or build on "
                                "a machine that has it; running an engine needs the driver alone"});
    const bool is_whole =
        library.Load("nvrtcVersion", version) && library.Load("nvrtcCreateProgram", create) &&
        library.Load("nvrtcDestroyProgram", destroy) && library.Load("nvrtcCompileProgram", compile) &&
        library.Load("nvrtcGetProgramLogSize", log_size) && library.Load("nvrtcGetProgramLog", log) &&
        library.Load("nvrtcGetCUBINSize", cubin_size) && library.Load("nvrtcGetCUBIN", cubin) &&
        library.Load("nvrtcGetErrorString", error_string) && library.Load("nvrtcGetNumSupportedArchs", arch_count) &&
        library.Load("nvrtcGetSupportedArchs", archs);
    if (!is_whole)
      ThrowUnsupported({.what = "NVRTC, CUDA's run-time compiler, is too old",
                        .where = library.name(),
                        .expected = "CUDA 12.0 or newer",
                        .hint = "Install a newer libnvrtc"});
  }

  SharedLibrary library;
  NvrtcResult (*version)(int* major, int* minor) = nullptr;
  NvrtcResult (*create)(Program* program, const char* text, const char* name, int headers, const char* const* texts,
                        const char* const* names) = nullptr;
  NvrtcResult (*destroy)(Program* program) = nullptr;
  NvrtcResult (*compile)(Program program, int count, const char* const* options) = nullptr;
  NvrtcResult (*log_size)(Program program, size_t* bytes) = nullptr;
  NvrtcResult (*log)(Program program, char* text) = nullptr;
  NvrtcResult (*cubin_size)(Program program, size_t* bytes) = nullptr;
  NvrtcResult (*cubin)(Program program, char* code) = nullptr;
  NvrtcResult (*arch_count)(int* count) = nullptr;
  NvrtcResult (*archs)(int* list) = nullptr;
  const char* (*error_string)(NvrtcResult result) = nullptr;

  void Check(NvrtcResult result, std::string_view what) const {
    TENON_CHECK(result == 0, "NVRTC failed to {}: {}", what, error_string(result));
  }
};

std::string ArchitectureOf(int capability) { return fmt::format("sm_{}{}", capability, capability >= 90 ? "a" : ""); }

Digest SourceDigest(const KernelSource& source) {
  static const std::string shared = [] {
    std::string all;
    for (const KernelText& text : KernelTexts()) all += fmt::format("\n{}\n{}", text.name, text.text);
    for (const char* option : kOptions) all += fmt::format("\n{}", option);
    return HashString(all).ToString();
  }();
  return HashString(fmt::format("{} {}\n{}", source.entry, shared, source.text));
}

std::string CacheKey(const KernelSource& source, int capability, int nvrtc_version) {
  return HashString(fmt::format("{} {} {}", SourceDigest(source).ToString(), ArchitectureOf(capability), nvrtc_version))
      .ToString();
}

const Nvrtc& Nvrtc::Get() {
  static const Nvrtc nvrtc({"libnvrtc.so.13", "/usr/local/cuda/lib64/libnvrtc.so.13", "libnvrtc.so.12",
                            "/usr/local/cuda/lib64/libnvrtc.so.12", "libnvrtc.so"});
  return nvrtc;
}

Nvrtc::Nvrtc(const std::vector<std::string>& names) : api_(std::make_shared<const Api>(names)) {
  int major = 0, minor = 0;
  api_->Check(api_->version(&major, &minor), "say its version");
  version_ = major * 1000 + minor * 10;
}

std::vector<int> Nvrtc::Capabilities() const {
  int count = 0;
  api_->Check(api_->arch_count(&count), "count what it compiles for");
  std::vector<int> list(static_cast<size_t>(count));
  api_->Check(api_->archs(list.data()), "say what it compiles for");
  return list;
}

Cubin Nvrtc::Compile(const KernelSource& source, const CompileOptions& options) const {
  if (options.cache_folder.empty()) return CompileUncached(source, options.capability);
  const std::string path = CachePath(options.cache_folder, CacheKey(source, options.capability, version_));
  if (std::optional<Cubin> cached = ReadCached(path)) return *std::move(cached);
  Cubin cubin = CompileUncached(source, options.capability);
  WriteCached(options.cache_folder, path, cubin);
  return cubin;
}

Cubin Nvrtc::CompileUncached(const KernelSource& source, int capability) const {
  std::vector<std::string> held;  // the texts are views: NVRTC wants them to end with a zero
  for (const KernelText& text : KernelTexts()) held.emplace_back(text.name), held.emplace_back(text.text);
  std::vector<const char*> names, texts;
  for (size_t i = 0; i < held.size(); i += 2) names.push_back(held[i].c_str()), texts.push_back(held[i + 1].c_str());
  Api::Program program = nullptr;
  api_->Check(api_->create(&program, source.text.c_str(), (source.entry + ".generated.cu").c_str(),
                           static_cast<int>(names.size()), texts.data(), names.data()),
              "take a program");
  const std::string architecture = "--gpu-architecture=" + ArchitectureOf(capability);
  std::vector<const char*> options(std::begin(kOptions), std::end(kOptions));
  options.push_back(architecture.c_str());
  const Api::NvrtcResult compiled = api_->compile(program, static_cast<int>(options.size()), options.data());
  Cubin result;
  size_t bytes = 0;
  if (api_->log_size(program, &bytes) == 0 && bytes > 1) {
    result.log.resize(bytes);
    api_->log(program, result.log.data());
    result.log.resize(bytes - 1);
  }
  if (compiled == 0 && api_->cubin_size(program, &bytes) == 0) {
    result.code.resize(bytes);
    api_->Check(api_->cubin(program, reinterpret_cast<char*>(result.code.data())), "hand its code over");
  }
  api_->destroy(&program);
  TENON_CHECK(compiled == 0 && !result.code.empty(), "NVRTC refuses {} for {}: {}", source.entry,
              ArchitectureOf(capability), result.log.substr(0, 4000));
  return result;
}

std::vector<Cubin> Nvrtc::CompileAll(const std::vector<KernelSource>& sources, const CompileOptions& options, int threads,
                                     const std::function<void()>& done) const {
  std::vector<Cubin> cubins(sources.size());
  std::map<std::string_view, size_t> first;  ///< place of the first source with a text
  std::vector<size_t> distinct;
  for (size_t i = 0; i < sources.size(); ++i) {
    if (first.emplace(sources[i].text, i).second) distinct.push_back(i);
  }
  std::atomic<size_t> next = 0;
  std::mutex mutex;
  std::exception_ptr failure;
  const auto work = [&] {
    for (size_t i = next++; i < distinct.size(); i = next++) try {
        CheckInterrupt();
        cubins[distinct[i]] = Compile(sources[distinct[i]], options);
        const std::lock_guard lock(mutex);
        if (done) done();
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (!failure) failure = std::current_exception();
        next = distinct.size();
      }
  };
  {
    std::vector<std::jthread> workers;
    for (int i = 1; i < std::min<int>(threads, static_cast<int>(distinct.size())); ++i) workers.emplace_back(work);
    work();
  }
  if (failure) std::rethrow_exception(failure);
  for (size_t i = 0; i < sources.size(); ++i) cubins[i] = cubins[first.at(sources[i].text)];
  return cubins;
}

}  // namespace tenon::cuda
