#pragma once
#include "passes/pass.h"

namespace tenon {

/// Cheaper or more regular forms of arithmetic with constants: x^2 as x * x, x^0.5 as a square root, x^-1 as a
/// reciprocal, division by a power of two as a product, subtraction of a constant as an addition, constants as second
/// operands of commutative functions.
/// Precondition: none. Postcondition: none of these is left on floats.
/// Why here: beside constant folding; later passes look for Add and Mul with a constant second operand only.
/// Numeric effect: exact, except that a power is now rounded as the product or root is.
bool SimplifyArithmetic(Graph& graph, const PassContext& context);

}  // namespace tenon
