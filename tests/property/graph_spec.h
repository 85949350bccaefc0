#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "ir/graph.h"

namespace tenon::property {

/// One step of a graph's description: which maker adds nodes, and the numbers that it decides by. Any numbers give a
/// valid graph (a maker that finds no fitting operand adds nothing), so a description can be cut and simplified freely.
struct NodeSpec {
  uint32_t maker = 0;           ///< index into Makers()
  uint32_t id = 0;              ///< stays the same when other steps are dropped
  std::vector<uint32_t> refs;   ///< operands: ValueKey of values; one that isn't there means the nearest before it
  std::vector<uint32_t> draws;  ///< the maker's choices; beyond the end 0, the plainest choice
};

struct GraphSpec {
  std::vector<TensorType> inputs;  ///< those that no step reads are left out of the graph
  std::vector<NodeSpec> nodes;
  uint64_t seed = 0;        ///< of constants and input data
  uint32_t data_style = 0;  ///< index into DataStyle
  uint32_t outputs = 0;     ///< 0: values that nobody reads are the outputs; else some others too
  uint32_t variant = 0;     ///< of the machine and the tactics; 0: this machine, first tactics
};

inline constexpr uint32_t kMaxInputs = 8;      // ids below are inputs'
inline constexpr uint32_t kOutputsPerId = 16;  // values that one step may make
inline uint32_t ValueKey(uint32_t id, uint32_t output) { return id * kOutputsPerId + output; }

enum class DataStyle {
  kReal,      ///< reals in [-2, 2)
  kTies,      ///< multiples of a quarter: ties and exact sums
  kSpecials,  ///< reals with some NaN, infinities, zeros of both signs, huge, tiny and denormal numbers
};
inline constexpr uint32_t kDataStyles = 3;

/// Elements for a value: floats of the style, integers in [low, high], bools.
Tensor RandomData(const TensorType& type, uint64_t seed, DataStyle style, int64_t low = -3, int64_t high = 3);

/// The graph that a description stands for. Its metadata says how input data are made (InputData), so its text alone
/// is a whole test case.
std::unique_ptr<Graph> BuildGraph(const GraphSpec& spec);

/// Data for every input of a graph of BuildGraph, or of its text.
std::vector<Tensor> InputData(const Graph& graph);

}  // namespace tenon::property
