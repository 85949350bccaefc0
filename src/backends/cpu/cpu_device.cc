#include "backends/cpu/cpu_device.h"

#include <fmt/format.h>
#include <xbyak/xbyak_util.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <sstream>
#include <thread>

#include "backends/cpu/tactic_list.h"

namespace tenon {
namespace {

std::string ReadBrand() {
  std::array<unsigned, 12> words = {};
  for (unsigned leaf = 0; leaf < 3; ++leaf) Xbyak::util::Cpu::getCpuid(0x80000002u + leaf, &words[leaf * 4]);
  char text[49] = {};
  std::memcpy(text, words.data(), 48);
  std::string brand(text);
  brand.erase(0, brand.find_first_not_of(' '));
  return brand;
}

}  // namespace

CpuDevice CpuDevice::Detect() {
  CpuDevice device;
  device.features = cpu::DetectCpuFeatures();
  const Xbyak::util::Cpu cpu;
  device.brand =
      fmt::format("{} family {} model {} stepping {}", ReadBrand(), cpu.displayFamily, cpu.displayModel, cpu.stepping);
  device.threads = std::max(1u, std::thread::hardware_concurrency());
  return device;
}

CpuDevice CpuDevice::OfPlan(const Program& program) {
  CpuDevice device;
  const std::string& text = program.fingerprint;
  std::istringstream words(text.substr(std::min(text.size(), text.rfind('[') + 1)));
  for (std::string word; words >> word;) {
    if (word.ends_with(']')) word.pop_back();
    if (word == "avx2") device.features.avx2_fma = true;
    if (word == "avx512") device.features.avx512 = true;
    if (word == "avx512_bf16") device.features.avx512_bf16 = true;
    if (word == "avx512_vnni") device.features.avx512_vnni = true;
    if (word == "amx_bf16") device.features.amx_bf16 = true;
  }
  return device;
}

std::string CpuDevice::Fingerprint() const { return fmt::format("cpu: {} [{}]", brand, features.ToString()); }
std::string CpuDevice::TuningContext() const { return fmt::format("{} threads", threads); }

std::optional<DType> CpuDevice::half_type() const {
  return features.avx512_bf16 ? std::optional(DType::kBFloat16) : std::nullopt;
}
std::string CpuDevice::Fp32Obstacle() const {
  return features.avx2_fma ? "" : "avx2 and fma: layers run on the slow reference";
}
std::string CpuDevice::HalfObstacle() const { return features.avx512_bf16 ? "" : "avx512_bf16"; }
std::string CpuDevice::Int8Obstacle() const {
  return features.avx512_vnni ? "" : "avx512_vnni: sums are exact all the same, but slower";
}

std::span<const KernelFamily* const> CpuDevice::families() const {
  static const std::vector<const KernelFamily*> families(CpuKernelFamilies().begin(), CpuKernelFamilies().end());
  return families;
}

}  // namespace tenon
