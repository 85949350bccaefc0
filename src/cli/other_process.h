#pragma once
#include <string>
#include <vector>

#include "engine/program.h"
#include "ir/tensor.h"

namespace tenon::cli {

/// Runs an engine once in another process of this program (`tenon run`), by way of files in a folder of its own that is
/// removed again. Returns the outputs in the engine's order. Throws Error when the process fails, with what it said.
std::vector<Tensor> RunInOtherProcess(const EngineModel& model, const std::string& device, int threads,
                                      const Tensor& input);

}  // namespace tenon::cli
