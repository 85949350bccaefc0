#pragma once
#include "engine/program.h"

namespace tenon {

/// Makes what is equal in plans and profiles (packed weights, constants, code) one piece of memory: files and devices
/// hold it once, since they tell pieces apart by where they lie.
void ShareEqualData(EngineModel& engine);

}  // namespace tenon
