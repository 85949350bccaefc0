#include "verify/host_load.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>

namespace tenon {

std::string HostLoad::ToString() const {
  std::string text = fmt::format("load average {:.1f} to {:.1f}", load_average_start, load_average_end);
  if (others_share) text += fmt::format(", other processes {:.0f}% of the CPU time", 100 * *others_share);
  if (steal_share) text += fmt::format(" (the host took {:.0f}%)", 100 * *steal_share);
  return text;
}

HostLoadMeter::HostLoadMeter() : system_(ReadSystem()), own_s_(ReadOwn()), load_average_(ReadLoadAverage()) {}

HostLoad HostLoadMeter::Finish() const {
  HostLoad load{.load_average_start = load_average_, .load_average_end = ReadLoadAverage()};
  const auto now = ReadSystem();
  if (!now || !system_) return load;
  const double own = ReadOwn() - own_s_, steal = now->steal - system_->steal;
  const double busy = now->busy - system_->busy + steal, total = busy + now->idle - system_->idle;
  if (total <= 0) return load;
  load.others_share = std::clamp((busy - own) / total, 0.0, 1.0);
  load.steal_share = std::clamp(steal / total, 0.0, 1.0);
  return load;
}

std::optional<HostLoadMeter::CpuTimes> HostLoadMeter::ReadSystem() {
  // proc(5): cpu user nice system idle iowait irq softirq steal ...; guest time is in user already.
  std::ifstream file("/proc/stat");
  std::string label;
  std::array<double, 8> ticks = {};
  file >> label;
  for (double& value : ticks) file >> value;
  if (!file || label != "cpu") return std::nullopt;
  const auto per_second = static_cast<double>(sysconf(_SC_CLK_TCK));
  return CpuTimes{.busy = (ticks[0] + ticks[1] + ticks[2] + ticks[5] + ticks[6]) / per_second,
                  .idle = (ticks[3] + ticks[4]) / per_second,
                  .steal = ticks[7] / per_second};
}

double HostLoadMeter::ReadOwn() {
  rusage usage = {};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double HostLoadMeter::ReadLoadAverage() {
  double average = 0;
  return getloadavg(&average, 1) == 1 ? average : 0;
}

}  // namespace tenon
