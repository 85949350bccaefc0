#pragma once
#include <string>

#include "emulator.h"

/// Runs all blocks of a launch, one after another in an order drawn from `seed`. @return why it failed; empty if it
/// didn't
std::string RunEmulatedKernel(const EmulatedKernel& kernel, const void* arguments, EmulatedIndex grid,
                              EmulatedIndex block, unsigned shared_bytes, unsigned seed);
