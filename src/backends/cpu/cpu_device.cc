#include "backends/cpu/cpu_device.h"

#include <fmt/format.h>
#include <xbyak/xbyak_util.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <thread>

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
  device.model =
      fmt::format("{} family {} model {} stepping {}", ReadBrand(), cpu.displayFamily, cpu.displayModel, cpu.stepping);
  device.threads = std::max(1u, std::thread::hardware_concurrency());
  return device;
}

std::string CpuDevice::Fingerprint() const { return fmt::format("cpu: {} [{}]", model, features.ToString()); }

}  // namespace tenon
