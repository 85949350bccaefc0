#pragma once
#include "engine/program.h"

namespace tenon::testing_support {

/// Makes every plan of the engine ready to run on this CPU, whatever its fingerprint says, and runs it once on one
/// thread in memory that ends at unreadable pages: arena, inputs, outputs, constants, packed weights and scratch each.
/// What a kernel reads or writes beyond them is a crash, in generated code too, which no sanitizer sees. Plans of more
/// than 64 MiB or 2e8 FLOP are made ready and not run. Throws Error as the library does. Returns how many plans ran.
int RunGuarded(const EngineModel& engine);

}  // namespace tenon::testing_support
