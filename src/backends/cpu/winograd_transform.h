#pragma once
#include <span>
#include <vector>

#include "backends/cpu/jit_code.h"

namespace tenon::cpu {

/// Winograd's minimal filtering F(m x m, 3 x 3): m x m outputs from (m+2) x (m+2) products for each pair of channels,
/// where a direct convolution takes 9 m^2. With d the inputs of a tile, g the weights:
///   Y = A^T [ (G g G^T) * (B^T d B) ] A,  * elementwise
/// (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016; matrices of Toom and Cook).
enum class WinogradForm : uint8_t {
  kF2,         ///< m = 2, floats, at the points 0, +-1 and infinity
  /// m = 4, floats, at 0, +-5/8, +-3/2 and infinity. Points near 1 keep the products of like size, which is what BF16
  /// needs (half the error of the usual 1 and 2); multiples of 1/8 make A and B exact in FP32.
  kF4,
  /// m = 4, u8 inputs, at 0, +-1, +-2 and infinity: B is whole numbers, and the transform of bytes fits 16 bits. Rows of
  /// G are multiplied by 4, 6, 6, 12, 12 and 2, columns of A by 6 over that, so that a rounding of the transformed
  /// weights counts about the same at every point and A costs few multiplications: results are 36 times as large.
  kF4Words,
};
inline constexpr int kWinogradKernel = 3;
constexpr int WinogradInputs(int outputs) { return outputs + kWinogradKernel - 1; }
constexpr int WinogradOutputs(WinogradForm form) { return form == WinogradForm::kF2 ? 2 : 4; }
constexpr int WinogradInputs(WinogradForm form) { return WinogradInputs(WinogradOutputs(form)); }
/// Products for one tile of one pair of channels: 16 or 36.
constexpr int WinogradPoints(WinogradForm form) { return WinogradInputs(form) * WinogradInputs(form); }
/// Results are those of the convolution times this.
constexpr float WinogradGain(WinogradForm form) { return form == WinogradForm::kF4Words ? 36 : 1; }
inline constexpr int kMostWinogradOutputs = 4;
inline constexpr int kMostWinogradInputs = WinogradInputs(kMostWinogradOutputs);
inline constexpr int kMostWinogradPoints = kMostWinogradInputs * kMostWinogradInputs;

/// One row or column of B^T d or A^T d for vectors of channels in registers: floats, B^T d of kF4Words 16-bit words.
class WinogradEmitter {
 public:
  /// Takes the registers [first_register, first_register + kRegisters).
  WinogradEmitter(JitCode& code, WinogradForm form, int first_register)
      : code_(code), form_(form), first_register_(first_register) {}

  static constexpr int kRegisters = 2 * kMostWinogradInputs + 2;
  /// First, so that an epilogue finds its accumulators from first_register on.
  Xbyak::Xmm Out(int i) const { return code_.Vec(first_register_ + i); }
  Xbyak::Xmm In(int i) const { return code_.Vec(first_register_ + kMostWinogradInputs + i); }

  /// Out(0..inputs) = B^T In(0..inputs).
  void EmitInput() const;
  /// Out(0..outputs) = A^T In(0..inputs); In is spoilt.
  void EmitOutput() const;

 private:
  Xbyak::Xmm Temp(int i) const { return code_.Vec(first_register_ + 2 * kMostWinogradInputs + i); }
  /// to = from + factor * x
  void AddScaled(const Xbyak::Xmm& to, const Xbyak::Xmm& from, float factor, const Xbyak::Xmm& x) const;

  void InputOfFloats() const;
  void InputOfWords() const;
  void OutputOfF4() const;
  void OutputOfWords() const;

  JitCode& code_;
  WinogradForm form_;
  int first_register_;
};

/// G g G^T in FP32 for `lanes` filters at once. @param g [3][3][lanes] @param u [inputs][inputs][lanes]
void TransformWinogradWeights(WinogradForm form, int lanes, const float* g, float* u);

/// The matrices in double precision, row-major; what tests and error estimates compute with.
struct WinogradMatrices {
  std::vector<double> a_transposed;  ///< [outputs][inputs]
  std::vector<double> b_transposed;  ///< [inputs][inputs]
  std::vector<double> g;             ///< [inputs][3]
};
WinogradMatrices MatricesOfWinograd(WinogradForm form);

}  // namespace tenon::cpu
