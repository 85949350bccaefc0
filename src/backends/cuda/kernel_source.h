#pragma once
#include <span>
#include <string>
#include <string_view>

namespace tenon::cuda {

/// A text of src/backends/cuda/kernels, held inside the program.
struct KernelText {
  std::string_view name, text;
};

/// All of them, by name; generated from the folder by cmake/TextsAsSource.cmake.
std::span<const KernelText> KernelTexts();

/// A kernel for one problem and tactic: what NVRTC compiles.
struct KernelSource {
  std::string entry;  ///< name of the kernel: extern "C"
  std::string text;   ///< constants of the problem, then the kernel's own text; includes names of KernelTexts
};

/// The text named `name`. A bug when there is none.
std::string_view KernelTextOf(std::string_view name);

}  // namespace tenon::cuda
