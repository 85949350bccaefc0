#pragma once
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "backends/kernel.h"
#include "base/progress.h"
#include "engine/program.h"

namespace tenon {

/// A tactic that a step could take.
struct TacticCandidate {
  const KernelFamily* family = nullptr;
  std::string tactic;
};

/// A distinct problem and the steps that pose it, while their tactic is being chosen.
struct TuneTask {
  std::string description;    ///< of the problem, for logs and the timing cache
  std::vector<size_t> steps;  ///< of the program
  std::vector<TacticCandidate> candidates;
  std::vector<double> times_us;  ///< by candidate
  size_t best = 0;               ///< a candidate
  bool known = false;            ///< candidates[best] is chosen; nothing is timed
};

/// A program whose tactics are being chosen: its steps have operands, but neither packed constants nor code yet.
/// `problems` are the steps', with the constants' elements.
struct TuneSubject {
  const Program& program;
  const std::vector<StepProblem>& problems;
};

struct TimingOptions {
  int rounds = 5;
  Progress::Mode progress = Progress::Mode::kQuiet;
};

/// What a device reaches at best, measured just now: what every other rate is held against. Never cached: on a shared
/// machine the peaks of an hour ago are no measure of now.
struct MachinePeaks {
  int threads = 1;  ///< of a CPU
  // Operations per second (a multiply-add counts two) of independent chains in registers; 0 where there are none.
  double fp32_ops = 0;  ///< CPU: vfmadd231ps in the widest vectors; GPU: FFMA
  double half_ops = 0;  ///< CPU: vdpbf16ps; GPU: FP16 matrix instructions with FP32 sums
  double int8_ops = 0;  ///< CPU: vpdpbusd; GPU: u8 x s8 matrix instructions
  // Bytes per second read plus bytes written by a copy.
  double memory_bytes = 0;  ///< blocks far larger than the caches
  double cache_bytes = 0;   ///< blocks that stay in the L2 (a CPU's: each core's)
  double launch_us = 0;     ///< an empty step
};

/// A device that programs are compiled for and run on. What depends on the kind of device is said here and in its
/// kernel families; passes, views, memory plan and tuner know no kinds.
class Device {
 public:
  virtual ~Device() = default;
  virtual std::string_view kind() const = 0;  ///< "cpu", "cuda": Program::device
  virtual std::string model() const = 0;      ///< for people
  /// Identifies the class of machines that a plan fits.
  virtual std::string Fingerprint() const = 0;
  /// What a tactic's time depends on beside the fingerprint ("2 threads").
  virtual std::string TuningContext() const = 0;
  /// Threads of this process that a context and the work around it (images, statistics) use.
  virtual int host_threads() const = 0;
  /// What `half` is here: computed natively; nothing where it isn't.
  virtual std::optional<DType> half_type() const = 0;
  /// Whether products of this float type are computed natively.
  virtual bool Computes(DType dtype) const { return dtype == DType::kFloat32 || dtype == half_type(); }
  /// What the device lacks for a precision; "" when it computes it natively. FP32 and INT8 run even then, slowly.
  virtual std::string Fp32Obstacle() const = 0;
  virtual std::string HalfObstacle() const = 0;
  virtual std::string Int8Obstacle() const = 0;
  /// Whether a convolution reads an FP32 image of any layout and computes in half: else it stays in FP32.
  virtual bool converts_images() const = 0;
  /// Whether steps that don't wait for each other may run at the same time: they share no memory then.
  virtual bool runs_steps_side_by_side() const { return false; }
  /// Of a core's L2 on a CPU, of the whole L2 on a GPU.
  virtual int64_t cache_bytes() const = 0;
  /// Of memory of its own, as its driver says it now; nothing where it shares the host's.
  virtual std::optional<int64_t> FreeMemoryBytes() const { return std::nullopt; }
  /// Takes about half a second; rates of what the device lacks are 0.
  virtual MachinePeaks MeasurePeaks() const = 0;
  /// Preferred first.
  virtual std::span<const KernelFamily* const> families() const = 0;

  /// Times the candidates of all tasks that aren't known, as they will run: in the program, with its caches. Sets their
  /// times and the best, which need not have the least time by itself. Throws Error(kInterrupted) after Ctrl-C.
  virtual void TimeCandidates(std::vector<TuneTask>& tasks, const TuneSubject& subject,
                              const TimingOptions& options) const = 0;
  /// Puts what the chosen tactics need into the program: compiled code.
  virtual void AddCode(Program& program, const std::vector<StepProblem>& problems) const = 0;

  /// The same device, kept alive by its readers.
  virtual std::shared_ptr<const Device> Share() const = 0;
};

}  // namespace tenon
