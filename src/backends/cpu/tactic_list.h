#pragma once
#include <span>
#include <string_view>

#include "backends/cpu/cpu_kernel.h"

namespace tenon {

/// All kernel families of the CPU backend, preferred first. The list is in tactic_list.cc.
std::span<const CpuKernelFamily* const> CpuKernelFamilies();
/// By name; null when there is none.
const CpuKernelFamily* FindCpuKernelFamily(std::string_view name);

}  // namespace tenon
