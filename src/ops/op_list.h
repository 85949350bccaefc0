#pragma once
#include <memory>
#include <string_view>

#include "ir/op.h"

namespace tenon {

/// Makes any of Tenon's ops by name, with default attributes; null for an unknown name. The list is in op_list.cc.
std::unique_ptr<Op> MakeOp(std::string_view name);

}  // namespace tenon
