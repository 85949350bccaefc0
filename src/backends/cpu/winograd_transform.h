#pragma once
#include <span>
#include <vector>

#include "backends/cpu/jit_code.h"

namespace tenon::cpu {

/// Winograd's minimal filtering F(m x m, 3 x 3): m x m outputs from (m+2) x (m+2) products for each pair of channels,
/// where a direct convolution takes 9 m^2. With d the inputs of a tile, g the weights:
///   Y = A^T [ (G g G^T) * (B^T d B) ] A,  * elementwise
/// (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016; matrices of Toom and Cook at the
/// points 0, +-1 and infinity for m = 2; 0, +-5/8, +-3/2 and infinity for m = 4). Points near 1 keep the products of
/// like size, which is what BF16 needs (half the error of the usual 1 and 2); multiples of 1/8 make A and B exact in
/// FP32.
inline constexpr int kWinogradKernel = 3;
constexpr int WinogradInputs(int outputs) { return outputs + kWinogradKernel - 1; }
/// Products for one tile of one pair of channels: 16 or 36.
constexpr int WinogradPoints(int outputs) { return WinogradInputs(outputs) * WinogradInputs(outputs); }
inline constexpr int kMostWinogradOutputs = 4;
inline constexpr int kMostWinogradPoints = WinogradPoints(kMostWinogradOutputs);

/// One row or column of B^T d or A^T d for vectors of channels in registers.
class WinogradEmitter {
 public:
  /// Takes the registers [first_register, first_register + kRegisters).
  WinogradEmitter(JitCode& code, int outputs, int first_register)
      : code_(code), outputs_(outputs), first_register_(first_register) {}

  static constexpr int kRegisters = 2 * WinogradInputs(kMostWinogradOutputs) + 2;
  int inputs() const { return WinogradInputs(outputs_); }
  /// First, so that an epilogue finds its accumulators from first_register on.
  Xbyak::Xmm Out(int i) const { return code_.Vec(first_register_ + i); }
  Xbyak::Xmm In(int i) const { return code_.Vec(first_register_ + kMostInputs + i); }

  /// Out(0..inputs) = B^T In(0..inputs).
  void EmitInput() const;
  /// Out(0..outputs) = A^T In(0..inputs); In is spoilt.
  void EmitOutput() const;

 private:
  static constexpr int kMostInputs = WinogradInputs(kMostWinogradOutputs);
  Xbyak::Xmm Temp(int i) const { return code_.Vec(first_register_ + 2 * kMostInputs + i); }
  /// to = from + factor * x
  void AddScaled(const Xbyak::Xmm& to, const Xbyak::Xmm& from, float factor, const Xbyak::Xmm& x) const;

  JitCode& code_;
  int outputs_;
  int first_register_;
};

/// G g G^T in FP32 for `lanes` filters at once. @param g [3][3][lanes] @param u [inputs][inputs][lanes]
void TransformWinogradWeights(int outputs, int lanes, const float* g, float* u);

/// A matrix in double precision, row-major; what tests and error estimates compute with.
struct WinogradMatrices {
  std::vector<double> a_transposed;  ///< [outputs][inputs]
  std::vector<double> b_transposed;  ///< [inputs][inputs]
  std::vector<double> g;             ///< [inputs][3]
};
WinogradMatrices MatricesOfWinograd(int outputs);

}  // namespace tenon::cpu
