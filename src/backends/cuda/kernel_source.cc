#include "backends/cuda/kernel_source.h"

#include "base/error.h"

namespace tenon::cuda {

std::string_view KernelTextOf(std::string_view name) {
  for (const KernelText& text : KernelTexts())
    if (text.name == name) return text.text;
  TENON_CHECK(false, "no kernel text named {}", name);
  return {};
}

}  // namespace tenon::cuda
