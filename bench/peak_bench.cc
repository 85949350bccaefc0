// Peak rates of this machine's multiply-add instructions, in G operations per second (a multiply-add counts two): what
// every other figure is held against. Independent chains in registers, no memory. Usage: peak_bench [threads]
#include <fmt/format.h>
#include <xbyak/xbyak.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <thread>
#include <vector>

#include "backends/cpu/cpu_device.h"

namespace tenon {
namespace {

constexpr int kChains = 24;  // latency 4 to 6, two a cycle: 12 would do
constexpr int64_t kRounds = 200'000;

/// A loop of kChains independent instructions.
class PeakLoop : public Xbyak::CodeGenerator {
 public:
  explicit PeakLoop(const std::function<void(PeakLoop&, int)>& instruction) : Xbyak::CodeGenerator(8192) {
    for (int i = 0; i < 30; ++i) vpxord(Xbyak::Zmm(i), Xbyak::Zmm(i), Xbyak::Zmm(i));
    Emit(instruction);
  }
  /// AVX2: no registers beyond ymm15.
  PeakLoop(const std::function<void(PeakLoop&, int)>& instruction, int) : Xbyak::CodeGenerator(8192) {
    for (int i = 0; i < 16; ++i) vpxor(Xbyak::Ymm(i), Xbyak::Ymm(i), Xbyak::Ymm(i));
    Emit(instruction);
  }
  void Run() const { getCode<void (*)(int64_t)>()(kRounds); }

 private:
  void Emit(const std::function<void(PeakLoop&, int)>& instruction) {
    Xbyak::Label loop;
    L(loop);
    for (int i = 0; i < kChains; ++i) instruction(*this, i);
    dec(rdi);
    jnz(loop, T_NEAR);
    vzeroupper();
    ret();
  }
};

/// Best of several tries on `threads` threads that start together, in 1e9 instructions per second.
double Rate(const PeakLoop& loop, int threads) {
  double best = 0;
  for (int attempt = 0; attempt < 10; ++attempt) {
    std::atomic<int> ready{0};
    const auto work = [&] {
      ++ready;
      while (ready < threads) std::this_thread::yield();
      loop.Run();
    };
    const auto start = std::chrono::steady_clock::now();
    std::vector<std::thread> others;
    for (int t = 1; t < threads; ++t) others.emplace_back(work);
    work();
    for (auto& thread : others) thread.join();
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    best = std::max(best, static_cast<double>(threads) * kRounds * kChains / seconds / 1e9);
  }
  return best;
}

int Main(int argc, char** argv) {
  using Xbyak::Ymm;
  using Xbyak::Zmm;
  const CpuDevice device = CpuDevice::Detect();
  const int threads = argc > 1 ? std::max(1, std::atoi(argv[1])) : device.threads;
  fmt::print("{}\n{} threads, best of 10\n", device.Fingerprint(), threads);
  const auto print = [&](const char* name, const PeakLoop& loop, int operations) {
    fmt::print("{:<28} {:>8.1f} G/s\n", name, Rate(loop, threads) * operations);
  };
  if (device.features.avx2_fma)
    print("FP32 AVX2 vfmadd231ps",
          PeakLoop([](PeakLoop& c, int i) { c.vfmadd231ps(Ymm(i % 12), Ymm(13), Ymm(14)); }, 0), 16);
  if (device.features.avx512)
    print("FP32 AVX-512 vfmadd231ps", PeakLoop([](PeakLoop& c, int i) { c.vfmadd231ps(Zmm(i), Zmm(28), Zmm(29)); }),
          32);
  if (device.features.avx512_bf16)
    print("BF16 vdpbf16ps", PeakLoop([](PeakLoop& c, int i) { c.vdpbf16ps(Zmm(i), Zmm(28), Zmm(29)); }), 64);
  if (device.features.avx512_vnni)
    print("INT8 vpdpbusd", PeakLoop([](PeakLoop& c, int i) { c.vpdpbusd(Zmm(i), Zmm(28), Zmm(29)); }), 128);
  return 0;
}

}  // namespace
}  // namespace tenon

int main(int argc, char** argv) { return tenon::Main(argc, argv); }
