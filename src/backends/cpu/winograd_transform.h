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
  kF2,  ///< m = 2, floats, at the points 0, +-1 and infinity
  /// m = 4, floats, at 0, +-5/8, +-3/2 and infinity. Points near 1 keep the products of like size, which is what BF16
  /// needs (half the error of the usual 1 and 2); multiples of 1/8 make A and B exact in FP32.
  kF4,
  /// m = 4, u8 inputs, at 0, +-1, +-2 and infinity: B is whole numbers, and the transform of bytes fits 16 bits. Rows
  /// of G are multiplied by 4, 6, 6, 12, 12 and 2, columns of A by 6 over that, so that a rounding of the transformed
  /// weights counts about the same at every point and A costs few multiplications: results are 36 times as large.
  kF4Words,
  /// m = 4 at stride 2, floats. Of 9 inputs of a row the even ones are met by 2 weights, g0 and g2: F(4, 2) at 0, 1,
  /// -1/2, -2 and infinity; the odd ones by g1 alone, a product each. 81 products where a direct convolution takes 144,
  /// at two thirds of kF4's error.
  kF4Stride2,
};
inline constexpr int kWinogradKernel = 3, kWinogradTaps = kWinogradKernel * kWinogradKernel;
constexpr int WinogradStride(WinogradForm form) { return form == WinogradForm::kF4Stride2 ? 2 : 1; }
/// Rows and columns of a tile's outputs: m.
constexpr int WinogradOutputs(WinogradForm form) { return form == WinogradForm::kF2 ? 2 : 4; }
/// Rows and columns of a tile's inputs.
constexpr int WinogradInputs(WinogradForm form) {
  return (WinogradOutputs(form) - 1) * WinogradStride(form) + kWinogradKernel;
}
/// Products for one tile of one pair of channels: 16, 36 or 81.
constexpr int WinogradPoints(WinogradForm form) { return WinogradInputs(form) * WinogradInputs(form); }
/// Products by those of a direct convolution; words take twice the time of bytes.
constexpr double WinogradWorkShare(WinogradForm form) {
  const int outputs = WinogradOutputs(form), taps = kWinogradTaps;
  return (form == WinogradForm::kF4Words ? 2.0 : 1.0) * WinogradPoints(form) / (outputs * outputs * taps);
}
/// Results are those of the convolution times this.
constexpr float WinogradGain(WinogradForm form) { return form == WinogradForm::kF4Words ? 36 : 1; }
inline constexpr int kMostWinogradOutputs = 4;
inline constexpr int kMostWinogradInputs = WinogradInputs(WinogradForm::kF4Stride2);
inline constexpr int kMostWinogradPoints = kMostWinogradInputs * kMostWinogradInputs;

/// Rows and columns of transformed weights that differ: all products of odd inputs share theirs.
inline constexpr int kMostFilterRows = 6;
constexpr int WinogradFilterRows(WinogradForm form) {
  return form == WinogradForm::kF4Stride2 ? kMostFilterRows : WinogradInputs(form);
}
/// The transformed weights of a point: an index into [row][column].
constexpr int WinogradFilterOf(WinogradForm form, int point) {
  const int rows = WinogradFilterRows(form), size = WinogradInputs(form);
  const int y = point / size, x = point % size;
  return (y < rows ? y : rows - 1) * rows + (x < rows ? x : rows - 1);
}

/// One row or column of B^T d or A^T d for vectors of channels in registers: floats, B^T d of kF4Words 16-bit words.
class WinogradEmitter {
 public:
  /// Takes the registers [first_register, first_register + kRegisters).
  WinogradEmitter(JitCode& code, WinogradForm form, int first_register)
      : code_(code), form_(form), first_register_(first_register) {}

  static constexpr int kRegisters = 14;
  /// Input i of EmitInput.
  Xbyak::Xmm In(int i) const { return code_.Vec(first_register_ + InRegister(i)); }
  /// Product i of EmitOutput.
  Xbyak::Xmm Product(int i) const { return code_.Vec(first_register_ + ProductRegister(i)); }
  /// Result i of either. Those of EmitOutput come first, so that an epilogue finds its accumulators from first_register
  /// on.
  Xbyak::Xmm Out(int i) const { return code_.Vec(first_register_ + OutRegister(i)); }

  /// Out(0..inputs) = B^T In(0..inputs).
  void EmitInput() const;
  /// Out(0..outputs) = A^T Product(0..inputs); products are spoilt.
  void EmitOutput() const;

 private:
  // Strided: 5 results of even inputs, 5 even inputs, then 4 odd inputs, which are results as they are.
  static constexpr int kEven = 5, kHalf = 6;
  bool is_strided() const { return form_ == WinogradForm::kF4Stride2; }
  int OutRegister(int i) const { return is_strided() && i >= kEven ? kEven + i : i; }
  int InRegister(int i) const { return !is_strided() ? kHalf + i : kEven + i / 2 + (i % 2 == 0 ? 0 : kEven); }
  int ProductRegister(int i) const { return is_strided() ? kEven + i : kHalf + i; }
  Xbyak::Xmm Temp(int i) const { return code_.Vec(first_register_ + 2 * kHalf + i); }
  /// to = from + factor * x
  void AddScaled(const Xbyak::Xmm& to, const Xbyak::Xmm& from, float factor, const Xbyak::Xmm& x) const;

  void InputOfFloats() const;
  void InputOfWords() const;
  void InputOfStrided() const;
  void OutputOfF4() const;
  void OutputOfStrided() const;
  void OutputOfWords() const;

  JitCode& code_;
  WinogradForm form_;
  int first_register_;
};

inline constexpr int kMostWinogradLanes = 16;
/// G g G^T in FP32 for `lanes` filters at once. @param g [3][3][lanes] @param u [filter row][filter row][lanes]
void TransformWinogradWeights(WinogradForm form, int lanes, const float* g, float* u);

/// The matrices in double precision, row-major; what tests and error estimates compute with.
struct WinogradMatrices {
  std::vector<double> a_transposed;  ///< [outputs][inputs]
  std::vector<double> b_transposed;  ///< [inputs][inputs]
  std::vector<double> g;             ///< [inputs][3]
};
WinogradMatrices MatricesOfWinograd(WinogradForm form);

}  // namespace tenon::cpu
