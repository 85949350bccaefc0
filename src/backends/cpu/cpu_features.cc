#include "backends/cpu/cpu_features.h"

#include <unistd.h>
#include <xbyak/xbyak_util.h>

namespace tenon::cpu {
namespace {

size_t CacheBytes(int name, size_t otherwise) {
  const long bytes = sysconf(name);
  return bytes > 0 ? static_cast<size_t>(bytes) : otherwise;
}

}  // namespace

CpuFeatures DetectCpuFeatures() {
  using Xbyak::util::Cpu;
  const Cpu cpu;
  CpuFeatures features;
  features.avx2_fma = cpu.has(Cpu::tAVX2) && cpu.has(Cpu::tFMA);
  features.avx512 = features.avx2_fma && cpu.has(Cpu::tAVX512F) && cpu.has(Cpu::tAVX512BW) && cpu.has(Cpu::tAVX512DQ) &&
                    cpu.has(Cpu::tAVX512VL);
  features.avx512_bf16 = features.avx512 && cpu.has(Cpu::tAVX512_BF16);
  features.avx512_vnni = features.avx512 && cpu.has(Cpu::tAVX512_VNNI);
  features.amx_bf16 = features.avx512_bf16 && cpu.has(Cpu::tAMX_BF16);
  features.l1d_bytes = CacheBytes(_SC_LEVEL1_DCACHE_SIZE, features.l1d_bytes);
  features.l2_bytes = CacheBytes(_SC_LEVEL2_CACHE_SIZE, features.l2_bytes);
  return features;
}

std::string CpuFeatures::ToString() const {
  std::string text;
  const auto add = [&](bool has, const char* name) {
    if (!has) return;
    if (!text.empty()) text += ' ';
    text += name;
  };
  add(avx2_fma, "avx2");
  add(avx512, "avx512");
  add(avx512_bf16, "avx512_bf16");
  add(avx512_vnni, "avx512_vnni");
  add(amx_bf16, "amx_bf16");
  return text;
}

}  // namespace tenon::cpu
