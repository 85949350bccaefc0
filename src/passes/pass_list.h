#pragma once
#include <vector>

#include "passes/pass.h"

namespace tenon {

/// Every pass in the order of compilation; pass_list.cc gives the reason for each position.
std::vector<PassGroup> MakePassList();

}  // namespace tenon
