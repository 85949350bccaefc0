// The convolution kernels on the GPU at hand, against a reference in FP64: check_conv [TACTICS a case] [NAME parts]
// [KERNEL]. Cases: those whose name has one of the parts, "odd,stem", in it. For each case the cost model's first
// tactics (of kernels whose name begins with KERNEL) and others drawn evenly from the rest; FAILED lines and exit
// status 1 where one is wrong.
#include <fmt/format.h>

#include <chrono>
#include <cstdlib>
#include <sstream>
#include <thread>

#include "base/error.h"
#include "gpu/conv_cases.h"
#include "gpu/conv_runner.h"

namespace tenon::cuda {
namespace {

/// The first quarter of `count` in order, the others drawn evenly with a start that differs from case to case.
std::vector<ConvTactic> Choose(const std::vector<ConvTactic>& all, size_t count, size_t start) {
  std::vector<ConvTactic> chosen;
  const size_t first = std::min(all.size(), std::max<size_t>(1, count / 4));
  chosen.assign(all.begin(), all.begin() + static_cast<ptrdiff_t>(first));
  const size_t step = std::max<size_t>(1, (all.size() - first) / std::max<size_t>(1, count - first));
  for (size_t i = first + start % step; i < all.size() && chosen.size() < count; i += step) chosen.push_back(all[i]);
  return chosen;
}

struct Totals {
  int tested = 0, failed = 0, local = 0;
};

void Run(GpuLab& lab, const ConvCase& test, const std::vector<ConvTactic>& tactics, const std::vector<Cubin>& cubins,
         Totals& totals) {
  if (tactics.empty()) return;
  ConvRunner runner(lab, test.problem);
  for (size_t i = 0; i < tactics.size(); ++i) {
    const auto step = runner.Prepare(tactics[i], cubins[i]);
    if (step.kernel.local_bytes() > 0) {
      ++totals.local;
      fmt::print("LOCAL   {}: {}: {} bytes\n", test.name, tactics[i].ToString(), step.kernel.local_bytes());
    }
    const std::string why = runner.Check(step, tactics[i]);
    ++totals.tested;
    if (why.empty()) continue;
    ++totals.failed;
    fmt::print("FAILED  {}: {}: {}\n", test.name, tactics[i].ToString(), why);
  }
  fmt::print("{:40} {:3} tactics, worst error {:.2f} of what is allowed, {} bytes off by one\n", test.name,
             tactics.size(), runner.worst_ratio(), runner.off_by_one());
}

std::vector<ConvTactic> TacticsOf(const ConvProblem& flat, const DeviceLimits& limits, const std::string& kernel) {
  std::vector<ConvTactic> tactics = ConvCandidates(flat, limits);
  std::erase_if(tactics, [&](const ConvTactic& tactic) { return !tactic.ToString().starts_with(kernel); });
  return tactics;
}

bool HasOneOf(const std::string& name, const std::string& parts) {
  std::istringstream list(parts);
  for (std::string part; std::getline(list, part, ',');)
    if (name.find(part) != std::string::npos) return true;
  return parts.empty();
}

int Main(size_t count, const std::string& parts, const std::string& kernel) {
  GpuLab lab("");
  fmt::print("{}, compute capability {}, CUDA {}, NVRTC {}\n", lab.context.gpu().name, lab.context.gpu().capability,
             VersionText(lab.context.driver().version()), VersionText(lab.nvrtc.version()));
  std::vector<ConvCase> cases;
  for (ConvCase& test : ConvCases())
    if (HasOneOf(test.name, parts)) cases.push_back(std::move(test));
  std::vector<std::vector<ConvTactic>> tactics;
  std::vector<KernelSource> sources;
  for (size_t i = 0; i < cases.size(); ++i) {
    const ConvProblem flat = Flatten(cases[i].problem);
    const std::string why = WhyUnsupported(flat, lab.limits().capability);
    TENON_CHECK(why.empty(), "{}: {}", cases[i].name, why);
    tactics.push_back(Choose(TacticsOf(flat, lab.limits(), kernel), count, i));
    for (const ConvTactic& tactic : tactics.back()) sources.push_back(MakeConvSource(flat, tactic));
  }
  const auto begin = std::chrono::steady_clock::now();
  const std::vector<Cubin> cubins =
      lab.nvrtc.CompileAll(sources, lab.options, static_cast<int>(std::thread::hardware_concurrency()));
  const std::chrono::duration<double> compiling = std::chrono::steady_clock::now() - begin;
  fmt::print("{} kernels compiled in {:.1f} s\n", sources.size(), compiling.count());
  Totals totals;
  size_t next = 0;
  for (size_t i = 0; i < cases.size(); ++i) {
    const std::vector<Cubin> mine(cubins.begin() + static_cast<ptrdiff_t>(next),
                                  cubins.begin() + static_cast<ptrdiff_t>(next + tactics[i].size()));
    next += tactics[i].size();
    Run(lab, cases[i], tactics[i], mine, totals);
  }
  fmt::print("{} cases, {} tactics tested, {} failed, {} use local memory\n", cases.size(), totals.tested,
             totals.failed, totals.local);
  return totals.failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace tenon::cuda

int main(int argc, char** argv) {
  try {
    return tenon::cuda::Main(argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 24, argc > 2 ? argv[2] : "",
                             argc > 3 ? argv[3] : "");
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
}
