#include "backends/cpu/peaks.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "backends/cpu/cpu_program.h"
#include "backends/cpu/jit_code.h"
#include "base/interrupt.h"
#include "base/thread_pool.h"

namespace tenon {
namespace {

using cpu::Isa;
using cpu::JitCode;

constexpr int64_t kRounds = 100'000;

double SecondsOf(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// work(thread) on every thread of the pool at once: none begins before all are there.
void RunTogether(ThreadPool& pool, const std::function<void(int)>& work) {
  std::atomic<int> ready{0};
  pool.Run(pool.threads(), [&](int64_t, int thread) {
    ++ready;
    while (ready < pool.threads()) std::this_thread::yield();
    work(thread);
  });
}

/// The best of several tries of `work` on all threads, in units per second; work does `units` on each thread.
double BestRate(ThreadPool& pool, const PeakOptions& options, double units, const std::function<void(int)>& work) {
  double best = 0;
  for (int attempt = 0; attempt < options.attempts; ++attempt) {
    CheckInterrupt();
    best = std::max(best, units * pool.threads() / SecondsOf([&] { RunTogether(pool, work); }));
  }
  return best;
}

using Emit = std::function<void(JitCode&, int accumulator)>;

/// A loop of independent instructions over registers of zeros; returns instructions per second, or 0 below AVX2.
double InstructionRate(ThreadPool& pool, const PeakOptions& options, Isa isa, const Emit& emit) {
  // Latency 4 to 6, two a cycle: 12 chains keep both units busy. AVX2 has no more registers to spare.
  const int chains = isa == Isa::kAvx512 ? 24 : 12;
  const auto code = GenerateCode(isa, [&](JitCode& c) {
    for (int i = 0; i < c.registers(); ++i) c.Zero(c.Vec(i));
    Xbyak::Label loop;
    c.L(loop);
    for (int i = 0; i < chains; ++i) emit(c, i);
    c.dec(c.rdi);
    c.jnz(loop, Xbyak::CodeGenerator::T_NEAR);
    c.vzeroupper();
    c.ret();
  });
  const auto run = code->At<void (*)(int64_t)>(0);
  return BestRate(pool, options, static_cast<double>(kRounds) * chains, [&](int) { run(kRounds); });
}

/// Bytes read plus written per second by copies of `block_bytes` on every thread.
double CopyRate(ThreadPool& pool, const PeakOptions& options, int64_t block_bytes, int repeats) {
  std::vector<AlignedBuffer> from, to;
  for (int i = 0; i < pool.threads(); ++i) {
    from.emplace_back(block_bytes);
    to.emplace_back(block_bytes);
  }
  return BestRate(pool, options, 2.0 * static_cast<double>(block_bytes) * repeats, [&](int thread) {
    for (int i = 0; i < repeats; ++i)
      std::memcpy(to[thread].data(), from[thread].data(), static_cast<size_t>(block_bytes));
  });
}

double LaunchMicroseconds(ThreadPool& pool, const PeakOptions& options) {
  constexpr int kLaunches = 1000;
  double best_s = 1;
  for (int attempt = 0; attempt < options.attempts; ++attempt) {
    best_s = std::min(best_s, SecondsOf([&] {
                        for (int i = 0; i < kLaunches; ++i) pool.Run(pool.threads(), [](int64_t, int) {});
                      }));
  }
  return best_s * 1e6 / kLaunches;
}

}  // namespace

MachinePeaks CpuDevice::MeasurePeaks() const { return tenon::MeasurePeaks(*this); }

MachinePeaks MeasurePeaks(const CpuDevice& device, const PeakOptions& options) {
  ThreadPool pool(device.threads);
  MachinePeaks peaks{.threads = pool.threads()};
  const auto& features = device.features;
  if (features.avx2_fma) {
    const Isa isa = cpu::BestIsa(features);
    const int source = cpu::RegistersOf(isa) - 2;
    peaks.fp32_ops = 2.0 * cpu::LanesOf(isa) * InstructionRate(pool, options, isa, [&](JitCode& c, int i) {
                       c.vfmadd231ps(c.Vec(i), c.Vec(source), c.Vec(source + 1));
                     });
  }
  if (features.avx512_bf16)
    peaks.half_ops = 4.0 * 16 * InstructionRate(pool, options, Isa::kAvx512, [](JitCode& c, int i) {
                       c.vdpbf16ps(c.Vec(i), c.Vec(30), c.Vec(31));
                     });
  if (features.avx512_vnni)
    peaks.int8_ops = 8.0 * 16 * InstructionRate(pool, options, Isa::kAvx512, [](JitCode& c, int i) {
                       c.vpdpbusd(c.Vec(i), c.Vec(30), c.Vec(31));
                     });
  // Far beyond the caches together, and not all memory of a machine with many cores.
  const int64_t large = std::max<int64_t>(8 << 20, (int64_t{128} << 20) / pool.threads());
  peaks.memory_bytes = CopyRate(pool, options, large, 1);
  // Source and destination take half of the L2.
  peaks.cache_bytes = CopyRate(pool, options, static_cast<int64_t>(features.l2_bytes) / 4, 64);
  peaks.launch_us = LaunchMicroseconds(pool, options);
  return peaks;
}

}  // namespace tenon
