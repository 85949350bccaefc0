#pragma once
#include <optional>
#include <string>

namespace tenon {

/// What else the machine did during a measurement.
struct HostLoad {
  double load_average_start = 0, load_average_end = 0;  ///< the system's, over one minute, this process included
  /// Share of all cores' time that other processes used, 0 to 1; nothing where /proc/stat can't be read.
  std::optional<double> others_share;
  std::optional<double> steal_share;  ///< of it: taken by the host of a virtual machine

  /// "load average 0.5 to 1.2, other processes 3% of the CPU time (the host took 1%)"
  std::string ToString() const;
};

/// Measures HostLoad from its construction to Finish. Figures come in ticks of 10 ms: below about 100 ms they are
/// rough.
class HostLoadMeter {
 public:
  HostLoadMeter();
  HostLoad Finish() const;

 private:
  /// Seconds since boot, over all cores.
  struct CpuTimes {
    double busy = 0, idle = 0, steal = 0;
  };
  static std::optional<CpuTimes> ReadSystem();
  static double ReadOwn();
  static double ReadLoadAverage();

  std::optional<CpuTimes> system_;
  double own_s_ = 0, load_average_ = 0;
};

}  // namespace tenon
