#include "base/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>

namespace tenon {

spdlog::logger& Log() {
  static const std::shared_ptr<spdlog::logger> logger = [] {
    auto made = spdlog::stderr_color_mt("tenon");
    made->set_pattern("%^%l%$: %v");
    return made;
  }();
  return *logger;
}

}  // namespace tenon
