#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace tenon {

/// A node that can't be translated.
struct UnsupportedReport {
  std::string op_type, domain, node;
  std::string reason;  ///< empty: there is no such op in Tenon at all
  int64_t opset = 0;   ///< 0: the model doesn't import the domain
};

/// Throws Error(kInvalidInput), one line that names all the nodes by op, with counts and reasons.
[[noreturn]] void ThrowUnsupportedNodes(const std::vector<UnsupportedReport>& reports);

}  // namespace tenon
