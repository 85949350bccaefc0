#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cstdlib>
#include <fstream>

#include "ir/text.h"
#include "properties.h"
#include "spec_generator.h"

namespace tenon::property {
namespace {

/// A fixed seed and a budget for CI; RC_PARAMS in the environment (e.g. "seed=7 max_success=100000") for long runs.
void SetDefaultBudget() { setenv("RC_PARAMS", "seed=1 max_success=1500", 0); }

/// A crash leaves no message: with TENON_PROPERTY_TRACE=FILE, that file has the graph that was under test.
void Trace(const Graph& graph) {
  static const char* const path = std::getenv("TENON_PROPERTY_TRACE");
  if (path) std::ofstream(path) << Print(graph);
}

TEST(RandomGraphTest, EverythingHolds) {
  SetDefaultBudget();
  rc::detail::checkGTest([] {
    const GraphSpec spec = *RandomGraphs();
    const auto graph = BuildGraph(spec);
    Trace(*graph);
    const std::string failure = WhatFails(*graph);
    if (!failure.empty()) RC_FAIL(failure);
  });
}

}  // namespace
}  // namespace tenon::property
