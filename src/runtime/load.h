#pragma once
#include <memory>

#include "backends/device.h"
#include "engine/program.h"
#include "ir/graph.h"
#include "runtime/executable.h"
#include "tenon/tenon.hpp"

namespace tenon {

/// The plan of a profile that fits the device and this version's kernels; null when the engine has none.
std::shared_ptr<const Program> FindPlan(const EngineModel& model, const Device& device, size_t profile = 0);
/// Whether there is one of every profile.
bool HasPlans(const EngineModel& model, const Device& device);

/// Bytes of the program's constants, packed ones included.
int64_t WeightsBytes(const Program& program);

using Executables = std::vector<std::shared_ptr<const internal::Executable>>;

/// Makes the model's plans for `device` ready to run, one of each profile. Throws Error(kUnsupportedDevice) when there
/// is none, Error(kInvalidInput) when the only one is of a version of Tenon with other kernels.
Executables NewExecutables(const EngineModel& model, const Device& device);
/// The same for the device of that name: "cpu", "cuda" or "cuda:1"; "": a GPU that the model has plans for where there
/// is one, else the CPU. Throws Error(kInvalidInput) for another name.
Executables NewExecutablesOn(const EngineModel& model, const std::string& device);
Engine MakeEngine(const std::shared_ptr<const EngineModel>& model, const Device& device);

/// Runs a graph on the reference evaluator: slow, the definition of right.
Engine MakeReferenceEngine(std::shared_ptr<const Graph> graph);

}  // namespace tenon
