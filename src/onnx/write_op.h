#pragma once
#include <span>
#include <string_view>

#include "onnx/write_context.h"
#include "ops/pointwise.h"

namespace tenon {

/// Writes a node of one kind of op as ONNX nodes.
struct OpWriter {
  std::string_view op;  ///< Op::name()
  void (*write)(const WriteContext& context);
};

// The families, one per file write_*.cc.
std::span<const OpWriter> ComputeWriters();
std::span<const OpWriter> PointwiseWriters();
std::span<const OpWriter> StructureWriters();

/// Writes a node whose op is one op of ONNX under other names of attributes; false for other ops.
bool WriteDirectly(const WriteContext& context);

/// Whether a node is the last of those that a node of the graph becomes: it then makes that node's results.
enum class WriteAs { kResult, kIntermediate };

/// A function of one operand; ONNX lacks SiLU, which is two nodes. Gives the result's name.
std::string WriteUnary(const WriteContext& context, const Unary& op, const std::string& x, DType dtype, WriteAs as);

}  // namespace tenon
