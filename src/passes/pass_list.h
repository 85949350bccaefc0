#pragma once
#include <vector>

#include "passes/pass.h"

namespace tenon {

/// Every pass in the order of compilation; pass_list.cc gives the reason for each position.
std::vector<PassGroup> MakePassList();

/// The first of them: up to the fused float graph, into which calibration puts Q and DQ. Running the whole list on their
/// result is the same as running it at once.
std::vector<PassGroup> MakeFloatPassList();

}  // namespace tenon
