#include "compile/timing_cache.h"

#include "fuzzing.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  return tenon::fuzzing::Try([&] {
    const auto cache = tenon::TimingCache::Parse(std::string(tenon::fuzzing::Text(data, size)), "fuzz");
    tenon::TimingCache::Parse(cache.ToText(), "round trip");
  });
}
