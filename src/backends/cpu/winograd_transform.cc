#include "backends/cpu/winograd_transform.h"

#include <algorithm>

#include "base/error.h"

namespace tenon::cpu {
namespace {

constexpr float kA = 0.625f, kB = 1.5f;  // the points of F(4x4)
constexpr float kA2 = kA * kA, kB2 = kB * kB;

/// to[0..filter rows) = G from[0..3), each a row of `lanes` floats, `from_stride` and `to_stride` apart.
void TransformColumn(WinogradForm form, int lanes, const float* from, int from_stride, float* to, int to_stride) {
  const float *g0 = from, *g1 = from + from_stride, *g2 = g1 + from_stride;
  const auto row = [&](int i) { return to + i * to_stride; };
  if (form == WinogradForm::kF2) {
    for (int l = 0; l < lanes; ++l) {
      const float even = 0.5f * (g0[l] + g2[l]), odd = 0.5f * g1[l];
      row(0)[l] = g0[l];
      row(1)[l] = even + odd;
      row(2)[l] = even - odd;
      row(3)[l] = g2[l];
    }
    return;
  }
  if (form == WinogradForm::kF4Words) {
    for (int l = 0; l < lanes; ++l) {
      const float even = g0[l] + g2[l], even_twice = 0.5f * g0[l] + 2 * g2[l];
      row(0)[l] = g0[l];
      row(1)[l] = -even - g1[l];
      row(2)[l] = -even + g1[l];
      row(3)[l] = even_twice + g1[l];
      row(4)[l] = even_twice - g1[l];
      row(5)[l] = 2 * g2[l];
    }
    return;
  }
  if (form == WinogradForm::kF4Stride2) {
    for (int l = 0; l < lanes; ++l) {
      row(0)[l] = -g0[l];
      row(1)[l] = (1 / 4.5f) * (g0[l] + g2[l]);
      row(2)[l] = (1 / 1.125f) * (g0[l] - 0.5f * g2[l]);
      row(3)[l] = (-1 / 9.0f) * (g0[l] - 2 * g2[l]);
      row(4)[l] = g2[l];
      row(5)[l] = g1[l];
    }
    return;
  }
  constexpr float kFirst = 1 / (kA2 * kB2), kOfA = 1 / (2 * kA2 * (kA2 - kB2)), kOfB = 1 / (2 * kB2 * (kB2 - kA2));
  for (int l = 0; l < lanes; ++l) {
    const float even_a = kOfA * (g0[l] + kA2 * g2[l]), odd_a = kOfA * kA * g1[l];
    const float even_b = kOfB * (g0[l] + kB2 * g2[l]), odd_b = kOfB * kB * g1[l];
    row(0)[l] = kFirst * g0[l];
    row(1)[l] = even_a + odd_a;
    row(2)[l] = even_a - odd_a;
    row(3)[l] = even_b + odd_b;
    row(4)[l] = even_b - odd_b;
    row(5)[l] = g2[l];
  }
}

}  // namespace

void WinogradEmitter::AddScaled(const Xbyak::Xmm& to, const Xbyak::Xmm& from, float factor, const Xbyak::Xmm& x) const {
  if (to.getIdx() != from.getIdx()) code_.vmovaps(to, from);
  code_.vfmadd231ps(to, x, code_.Const(factor));
}

void WinogradEmitter::EmitInput() const {
  switch (form_) {
    case WinogradForm::kF2:
    case WinogradForm::kF4:
      return InputOfFloats();
    case WinogradForm::kF4Words:
      return InputOfWords();
    case WinogradForm::kF4Stride2:
      return InputOfStrided();
  }
}

void WinogradEmitter::InputOfStrided() const {
  const auto even = [&](int i) { return In(2 * i); };
  code_.vsubps(Out(0), even(2), even(1));
  code_.vfmadd132ps(Out(0), even(3), code_.Const(1.5f));
  code_.vsubps(Out(0), Out(0), even(0));
  code_.vaddps(Out(1), even(1), even(3));
  code_.vfmadd231ps(Out(1), even(2), code_.Const(2.5f));
  code_.vaddps(Out(2), even(2), even(3));
  code_.vfmadd231ps(Out(2), even(1), code_.Const(-2));
  code_.vaddps(Out(3), even(1), even(2));
  code_.vfmadd132ps(Out(3), even(3), code_.Const(-0.5f));
  code_.vsubps(Out(4), even(3), even(2));
  code_.vfmadd132ps(Out(4), even(4), code_.Const(1.5f));
  code_.vsubps(Out(4), Out(4), even(1));
}

void WinogradEmitter::InputOfFloats() const {
  if (form_ == WinogradForm::kF2) {
    code_.vsubps(Out(0), In(0), In(2));
    code_.vaddps(Out(1), In(1), In(2));
    code_.vsubps(Out(2), In(2), In(1));
    code_.vsubps(Out(3), In(1), In(3));
    return;
  }
  // Rows of a and -a share their even and their odd part; so do those of b and -b.
  const Xbyak::Xmm odd_a = Temp(0), odd_b = Temp(1);
  AddScaled(Out(1), In(4), -kB2, In(2));
  AddScaled(odd_a, In(3), -kB2, In(1));
  AddScaled(Out(3), In(4), -kA2, In(2));
  AddScaled(odd_b, In(3), -kA2, In(1));
  AddScaled(Out(2), Out(1), -kA, odd_a);
  AddScaled(Out(1), Out(1), kA, odd_a);
  AddScaled(Out(4), Out(3), -kB, odd_b);
  AddScaled(Out(3), Out(3), kB, odd_b);
  AddScaled(Out(0), In(4), -kA2 - kB2, In(2));
  AddScaled(Out(0), Out(0), kA2 * kB2, In(0));
  AddScaled(Out(5), In(5), -kA2 - kB2, In(3));
  AddScaled(Out(5), Out(5), kA2 * kB2, In(1));
}

// The same pairs at the points 1 and 2.
void WinogradEmitter::InputOfWords() const {
  const Xbyak::Xmm odd = Temp(0), scaled = Temp(1);
  code_.vpsllw(scaled, In(2), 2);
  code_.vpsubw(Out(1), In(4), scaled);  // d4 - 4 d2
  code_.vpsllw(Out(0), In(0), 2);
  code_.vpaddw(Out(0), Out(0), Out(1));
  code_.vpsubw(Out(0), Out(0), In(2));  // 4 d0 - 5 d2 + d4
  code_.vpsllw(scaled, In(1), 2);
  code_.vpsubw(odd, In(3), scaled);  // d3 - 4 d1
  code_.vpsubw(Out(2), Out(1), odd);
  code_.vpaddw(Out(1), Out(1), odd);
  code_.vpsubw(Out(5), In(5), In(3));
  code_.vpsllw(odd, In(3), 2);
  code_.vpsubw(scaled, scaled, odd);
  code_.vpaddw(Out(5), Out(5), scaled);  // 4 d1 - 5 d3 + d5
  code_.vpsubw(odd, In(3), In(1));
  code_.vpaddw(odd, odd, odd);
  code_.vpsubw(Out(3), In(4), In(2));
  code_.vpsubw(Out(4), Out(3), odd);
  code_.vpaddw(Out(3), Out(3), odd);
}

void WinogradEmitter::EmitOutput() const {
  switch (form_) {
    case WinogradForm::kF2:
      code_.vaddps(Out(0), Product(0), Product(1));
      code_.vsubps(Out(1), Product(1), Product(2));
      code_.vaddps(Out(0), Out(0), Product(2));
      return code_.vsubps(Out(1), Out(1), Product(3));
    case WinogradForm::kF4:
      return OutputOfF4();
    case WinogradForm::kF4Words:
      return OutputOfWords();
    case WinogradForm::kF4Stride2:
      return OutputOfStrided();
  }
}

void WinogradEmitter::OutputOfStrided() const {
  code_.vaddps(Out(0), Product(0), Product(1));
  code_.vaddps(Out(0), Out(0), Product(2));
  code_.vaddps(Out(0), Out(0), Product(3));
  code_.vaddps(Out(0), Out(0), Product(5));
  const float points[] = {-0.5f, -2};
  float powers[] = {1, 1};
  for (int i = 1; i < 4; ++i) {
    code_.vaddps(Out(i), Product(1), Product(5 + i));
    for (int k = 0; k < 2; ++k) {
      powers[k] *= points[k];
      code_.vfmadd231ps(Out(i), Product(2 + k), code_.Const(powers[k]));
    }
  }
  code_.vaddps(Out(3), Out(3), Product(4));
}

void WinogradEmitter::OutputOfWords() const {
  const Xbyak::Xmm even = Temp(0), even_twice = Temp(1), odd = Product(1), odd_twice = Product(3);
  code_.vaddps(even, Product(1), Product(2));
  code_.vsubps(odd, Product(1), Product(2));
  code_.vaddps(even_twice, Product(3), Product(4));
  code_.vsubps(odd_twice, Product(3), Product(4));
  AddScaled(Out(0), even, 1.5f, Product(0));
  AddScaled(Out(0), Out(0), 0.5f, even_twice);
  code_.vaddps(Out(1), odd, odd_twice);
  AddScaled(Out(2), even, 2, even_twice);
  AddScaled(Out(3), odd, 4, odd_twice);
  AddScaled(Out(3), Out(3), 3, Product(5));
}

void WinogradEmitter::OutputOfF4() const {
  const Xbyak::Xmm even_a = Temp(0), even_b = Temp(1), odd_a = Product(1), odd_b = Product(3);
  code_.vaddps(even_a, Product(1), Product(2));
  code_.vsubps(odd_a, Product(1), Product(2));
  code_.vaddps(even_b, Product(3), Product(4));
  code_.vsubps(odd_b, Product(3), Product(4));
  code_.vaddps(Out(0), Product(0), even_a);
  code_.vaddps(Out(0), Out(0), even_b);
  code_.vmulps(Out(1), odd_a, code_.Const(kA));
  AddScaled(Out(3), Product(5), kA2, Out(1));
  AddScaled(Out(1), Out(1), kB, odd_b);
  code_.vmulps(Out(2), even_a, code_.Const(kA2));
  AddScaled(Out(2), Out(2), kB2, even_b);
  AddScaled(Out(3), Out(3), kB2 * kB, odd_b);
}

void TransformWinogradWeights(WinogradForm form, int lanes, const float* g, float* u) {
  TENON_CHECK(lanes <= kMostWinogradLanes);
  const int rows = WinogradFilterRows(form);
  float columns[kMostFilterRows * kWinogradKernel * kMostWinogradLanes];  // [row][3][lanes]
  for (int x = 0; x < kWinogradKernel; ++x)
    TransformColumn(form, lanes, g + x * lanes, kWinogradKernel * lanes, columns + x * lanes, kWinogradKernel * lanes);
  for (int y = 0; y < rows; ++y)
    TransformColumn(form, lanes, columns + y * kWinogradKernel * lanes, lanes, u + y * rows * lanes, lanes);
}

WinogradMatrices MatricesOfWinograd(WinogradForm form) {
  if (form == WinogradForm::kF4Words) {
    return {.a_transposed = {1.5, 1, 1,  0.5, 0.5, 0,  //
                             0,   1, -1, 1,   -1,  0,  //
                             0,   1, 1,  2,   2,   0,  //
                             0,   1, -1, 4,   -4,  3},
            .b_transposed = {4, 0,  -5, 0,  1, 0,  //
                             0, -4, -4, 1,  1, 0,  //
                             0, 4,  -4, -1, 1, 0,  //
                             0, -2, -1, 2,  1, 0,  //
                             0, 2,  -1, -2, 1, 0,  //
                             0, 4,  0,  -5, 0, 1},
            .g = {1, 0, 0, -1, -1, -1, -1, 1, -1, 0.5, 1, 2, 0.5, -1, 2, 0, 0, 2}};
  }
  if (form == WinogradForm::kF4Stride2) {
    return {.a_transposed = {1, 1, 1,      1,  0, 1, 0, 0, 0,  //
                             0, 1, -0.5,   -2, 0, 0, 1, 0, 0,  //
                             0, 1, 0.25,   4,  0, 0, 0, 1, 0,  //
                             0, 1, -0.125, -8, 1, 0, 0, 0, 1},
            .b_transposed = {-1, 0, -1.5, 0, 1.5,  0, 1,   0, 0,  //
                             0,  0, 1,    0, 2.5,  0, 1,   0, 0,  //
                             0,  0, -2,   0, 1,    0, 1,   0, 0,  //
                             0,  0, -0.5, 0, -0.5, 0, 1,   0, 0,  //
                             0,  0, -1,   0, -1.5, 0, 1.5, 0, 1,  //
                             0,  1, 0,    0, 0,    0, 0,   0, 0,  //
                             0,  0, 0,    1, 0,    0, 0,   0, 0,  //
                             0,  0, 0,    0, 0,    1, 0,   0, 0,  //
                             0,  0, 0,    0, 0,    0, 0,   1, 0},
            .g = {-1,        0, 0,             //
                  1 / 4.5,   0, 1 / 4.5,       //
                  1 / 1.125, 0, -0.5 / 1.125,  //
                  -1 / 9.0,  0, 2 / 9.0,       //
                  0,         0, 1,             //
                  0,         1, 0,
                  0,         1, 0,
                  0,         1, 0,
                  0,         1, 0}};
  }
  if (form == WinogradForm::kF2) {
    return {.a_transposed = {1, 1, 1, 0, 0, 1, -1, -1},
            .b_transposed = {1, 0, -1, 0, 0, 1, 1, 0, 0, -1, 1, 0, 0, 1, 0, -1},
            .g = {1, 0, 0, 0.5, 0.5, 0.5, 0.5, -0.5, 0.5, 0, 0, 1}};
  }
  const double a = kA, b = kB, a2 = a * a, b2 = b * b, na = 2 * a2 * (a2 - b2), nb = 2 * b2 * (b2 - a2);
  return {.a_transposed = {1, 1,      1,       1,      1,       0,  //
                           0, a,      -a,      b,      -b,      0,  //
                           0, a2,     a2,      b2,     b2,      0,  //
                           0, a2 * a, -a2 * a, b2 * b, -b2 * b, 1},
          .b_transposed = {a2 * b2, 0,       -a2 - b2, 0,        1, 0,  //
                           0,       -a * b2, -b2,      a,        1, 0,  //
                           0,       a * b2,  -b2,      -a,       1, 0,  //
                           0,       -b * a2, -a2,      b,        1, 0,  //
                           0,       b * a2,  -a2,      -b,       1, 0,  //
                           0,       a2 * b2, 0,        -a2 - b2, 0, 1},
          .g = {1 / (a2 * b2), 0, 0,       //
                1 / na, a / na, a2 / na,   //
                1 / na, -a / na, a2 / na,  //
                1 / nb, b / nb, b2 / nb,   //
                1 / nb, -b / nb, b2 / nb,  //
                0, 0, 1}};
}

}  // namespace tenon::cpu
