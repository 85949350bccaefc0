#pragma once
// kernels/ptx.cuh for the CPU: the same functions with the same results, by the emulated driver (emulator.h). The rest
// of a kernel is its own text.
#include <math.h>
#include <string.h>

#include "emulator.h"

#define __device__
#define __global__
#define __shared__ static  // of one block at a time
#define __grid_constant__
#define __launch_bounds__(...)
#define DEVICE inline

using uint8 = unsigned char;
using uint16 = unsigned short;
using uint32 = unsigned int;
using uint64 = unsigned long long;
using int64 = long long;

static Emulator* emulator = nullptr;
#define threadIdx (emulator->thread)
#define blockIdx (emulator->block)
#define blockDim (emulator->block_size)
#define gridDim (emulator->grid_size)

struct alignas(8) float2 {
  float x, y;
};
struct alignas(16) float4 {
  float x, y, z, w;
};
struct alignas(8) uint2 {
  uint32 x, y;
};
struct alignas(16) uint4 {
  uint32 x, y, z, w;
};
struct alignas(8) int2 {
  int x, y;
};
struct alignas(16) int4 {
  int x, y, z, w;
};
inline float2 make_float2(float x, float y) { return {x, y}; }
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline uint2 make_uint2(uint32 x, uint32 y) { return {x, y}; }
inline uint4 make_uint4(uint32 x, uint32 y, uint32 z, uint32 w) { return {x, y, z, w}; }

using std::isinf;
using std::isnan;
template <class T>
constexpr T min(T a, T b) {
  return b < a ? b : a;
}
template <class T>
constexpr T max(T a, T b) {
  return a < b ? b : a;
}

inline float __int_as_float(int v) { return __builtin_bit_cast(float, v); }
inline float __uint_as_float(uint32 v) { return __builtin_bit_cast(float, v); }
inline int __float_as_int(float v) { return __builtin_bit_cast(int, v); }
inline uint32 __float_as_uint(float v) { return __builtin_bit_cast(uint32, v); }
inline float __fmaf_rn(float a, float b, float c) { return fmaf(a, b, c); }
inline uint32 __vmaxu4(uint32 a, uint32 b) {
  uint32 greater = 0;
  for (int shift = 0; shift < 32; shift += 8) greater |= std::max(a >> shift & 255, b >> shift & 255) << shift;
  return greater;
}
inline uint32 __float2uint_rn(float v) { return isnan(v) || v < 0 ? 0u : v >= 4294967296.f ? ~0u : uint32(rint(v)); }
inline int __popc(uint32 v) { return __builtin_popcount(v); }
inline int __ffs(uint32 v) { return __builtin_ffs(int(v)); }
inline void __syncthreads() { emulator->sync_block(); }

namespace emulated {

/// out = compute(lane, in of all lanes), for all lanes of the warp at once.
template <class Out, class In, Out (*kCompute)(int, const In* const*)>
Out Warp(const In& in) {
  Out out{};
  emulator->sync_warp(&in, &out, [](const void* const* ins, void* const* outs) {
    for (int lane = 0; lane < 32; ++lane)
      *static_cast<Out*>(outs[lane]) = kCompute(lane, reinterpret_cast<const In* const*>(ins));
  });
  return out;
}

template <class T>
struct Asked {
  T value;
  int argument;
};
template <class T>
T OfLaneXor(int lane, const Asked<T>* const* in) {
  return in[lane ^ in[lane]->argument]->value;
}
template <class T>
T OfLaneBefore(int lane, const Asked<T>* const* in) {
  return in[lane >= in[lane]->argument ? lane - in[lane]->argument : lane]->value;
}
template <class T>
T OfLane(int lane, const Asked<T>* const* in) {
  return in[in[lane]->argument & 31]->value;
}
template <class T>
uint32 LanesThatEqual(int lane, const T* const* in) {
  uint32 mask = 0;
  for (int other = 0; other < 32; ++other) mask |= uint32(*in[other] == *in[lane]) << other;
  return mask;
}
inline uint32 LanesThatVote(int, const bool* const* in) {
  uint32 mask = 0;
  for (int lane = 0; lane < 32; ++lane) mask |= uint32(*in[lane]) << lane;
  return mask;
}
inline int Nothing(int, const int* const*) { return 0; }

}  // namespace emulated

template <class T>
T __shfl_xor_sync(uint32, T v, int mask) {
  return emulated::Warp<T, emulated::Asked<T>, emulated::OfLaneXor<T>>({v, mask});
}
template <class T>
T __shfl_up_sync(uint32, T v, int by) {
  return emulated::Warp<T, emulated::Asked<T>, emulated::OfLaneBefore<T>>({v, by});
}
template <class T>
T __shfl_sync(uint32, T v, int lane) {
  return emulated::Warp<T, emulated::Asked<T>, emulated::OfLane<T>>({v, lane});
}
template <class T>
uint32 __match_any_sync(uint32, T v) {
  return emulated::Warp<uint32, T, emulated::LanesThatEqual<T>>(v);
}
inline uint32 __ballot_sync(uint32, bool v) { return emulated::Warp<uint32, bool, emulated::LanesThatVote>(v); }
inline void __syncwarp() { emulated::Warp<int, int, emulated::Nothing>(0); }
template <class T, class V>
T atomicAdd(T* at, V v) {  // fibers don't interrupt each other
  const T before = *at;
  *at += v;
  return before;
}
inline unsigned atomicMax(unsigned* at, unsigned v) {
  const unsigned before = *at;
  *at = max(before, v);
  return before;
}

// Dynamic shared memory, under the names that the kernels declare.
alignas(1024) __attribute__((used)) static unsigned char emulated_shared[256 << 10] asm("emulated_shared");
asm(".weak shared_memory\n.set shared_memory, emulated_shared\n.weak row_keys\n.set row_keys, emulated_shared\n");

namespace ptx {

inline uint32 SharedAddress(const void* p) { return uint32(static_cast<const unsigned char*>(p) - emulated_shared); }
/// `bytes` from a shared address on, in dynamic memory.
inline unsigned char* Shared(uint32 address, uint32 bytes) {
  if (address + bytes > emulator->shared_bytes) emulator->fail("an address is outside the launch's shared memory");
  if (address % bytes != 0) emulator->fail("an address in shared memory is not aligned");
  return emulated_shared + address;
}

template <int kBytes>
void CopyAsync(uint32 to, const void* from, int valid) {
  if (reinterpret_cast<unsigned long>(from) % kBytes != 0) emulator->fail("the source of a copy is not aligned");
  emulator->copy_async(Shared(to, kBytes), from, kBytes, valid);
}
inline void CommitCopies() { emulator->commit_copies(); }
template <int kLeft>
void WaitCopies() {
  emulator->wait_copies(kLeft);
}

inline void StoreShared16(uint32 to, uint4 v) { memcpy(Shared(to, 16), &v, 16); }
template <class V>
void StoreGlobalIf(bool wanted, char* to, V v) {
  if (!wanted) return;
  if (reinterpret_cast<unsigned long>(to) % sizeof(V) != 0) emulator->fail("a store is not aligned");
  memcpy(to, &v, sizeof(V));
}
inline float4 LoadSharedFloat4(uint32 from) {
  float4 v;
  memcpy(&v, Shared(from, 16), 16);
  return v;
}

struct Words4 {
  uint32 r[4];
};
inline Words4 MatricesOf(int lane, const uint32* const* rows) {
  Words4 out;
  for (int m = 0; m < 4; ++m) memcpy(&out.r[m], Shared(*rows[8 * m + lane / 4], 16) + lane % 4 * 4, 4);
  return out;
}
inline Words4 TransposedMatricesOf(int lane, const uint32* const* rows) {
  Words4 out;
  for (int m = 0; m < 4; ++m) {
    uint16 halves[2];
    for (int h = 0; h < 2; ++h) memcpy(&halves[h], Shared(*rows[8 * m + lane % 4 * 2 + h], 16) + lane / 4 * 2, 2);
    memcpy(&out.r[m], halves, 4);
  }
  return out;
}
inline void LoadMatrices(uint32 (&r)[4], uint32 from) {
  const Words4 words = emulated::Warp<Words4, uint32, MatricesOf>(from);
  memcpy(r, words.r, 16);
}
inline void LoadMatricesTransposed(uint32 (&r)[4], uint32 from) {
  const Words4 words = emulated::Warp<Words4, uint32, TransposedMatricesOf>(from);
  memcpy(r, words.r, 16);
}

struct Bytes {
  static constexpr bool kIsInteger = true;
};
struct Half {
  static constexpr bool kIsInteger = false;
  static float Of(uint16 bits) { return float(__builtin_bit_cast(_Float16, bits)); }
};
struct BFloat16 {
  static constexpr bool kIsInteger = false;
  static float Of(uint16 bits) { return __uint_as_float(uint32(bits) << 16); }
};

template <class Sum>
struct Operands {
  Sum c[4];
  uint32 a[4], b[2];
};
template <class Sum>
struct Sums {
  Sum c[4];
};

/// Elements of K of row `row` of a (column `column` of b) as a lane holds them: kSize bytes each, element k in the lane
/// that is k * kSize / 4 % 4 after the row's first, in register k * kSize / 16 of the two of that half.
template <int kSize>
uint32 ElementOfA(const uint32 (&a)[4], int upper, int k) {
  return a[upper + 2 * (k * kSize / 16)] >> 8 * (k * kSize % 4);
}
template <int kSize>
uint32 ElementOfB(const uint32 (&b)[2], int k) {
  return b[k * kSize / 16] >> 8 * (k * kSize % 4);
}

template <class Format>
Sums<float> FloatProduct(int lane, const Operands<float>* const* in) {
  Sums<float> out;
  for (int i = 0; i < 4; ++i) {
    const int row = lane / 4, column = lane % 4 * 2 + i % 2;
    double sum = 0;
    for (int k = 0; k < 16; ++k) {
      const int part = k * 2 / 4 % 4;
      sum += double(Format::Of(uint16(ElementOfA<2>(in[row * 4 + part]->a, i / 2, k)))) *
             double(Format::Of(uint16(ElementOfB<2>(in[column * 4 + part]->b, k))));
    }
    out.c[i] = float(double(in[lane]->c[i]) + sum);
  }
  return out;
}
inline Sums<int> ByteProduct(int lane, const Operands<int>* const* in) {
  Sums<int> out;
  for (int i = 0; i < 4; ++i) {
    const int row = lane / 4, column = lane % 4 * 2 + i % 2;
    int sum = in[lane]->c[i];
    for (int k = 0; k < 32; ++k) {
      const int part = k / 4 % 4;
      sum += int(uint8(ElementOfA<1>(in[row * 4 + part]->a, i / 2, k))) *
             static_cast<signed char>(ElementOfB<1>(in[column * 4 + part]->b, k));
    }
    out.c[i] = sum;
  }
  return out;
}
template <class Sum, Sums<Sum> (*kProduct)(int, const Operands<Sum>* const*)>
void Multiply(Sum (&c)[4], const uint32 (&a)[4], uint32 b0, uint32 b1) {
  Operands<Sum> in{{c[0], c[1], c[2], c[3]}, {a[0], a[1], a[2], a[3]}, {b0, b1}};
  const Sums<Sum> out = emulated::Warp<Sums<Sum>, Operands<Sum>, kProduct>(in);
  memcpy(c, out.c, sizeof(c));
}
inline void MmaF16(float (&c)[4], const uint32 (&a)[4], uint32 b0, uint32 b1) {
  Multiply<float, FloatProduct<Half>>(c, a, b0, b1);
}
inline void MmaBF16(float (&c)[4], const uint32 (&a)[4], uint32 b0, uint32 b1) {
  Multiply<float, FloatProduct<BFloat16>>(c, a, b0, b1);
}
inline void MmaU8S8(int (&c)[4], const uint32 (&a)[4], uint32 b0, uint32 b1) {
  Multiply<int, ByteProduct>(c, a, b0, b1);
}

inline void WaitForProducers() {}
inline void ReleaseConsumers() {}

inline void InitBarrier(uint32 barrier, int count) { Shared(barrier, 8), emulator->init_barrier(barrier, count); }
inline void FenceBarriers() {}
inline void Arrive(uint32 barrier) { emulator->arrive(barrier, 0); }
inline void ArriveExpecting(uint32 barrier, int bytes) { emulator->arrive(barrier, bytes); }
inline void ArriveWhenCopied(uint32 barrier) { emulator->arrive_when_copied(barrier); }
inline void WaitBarrier(uint32 barrier, uint32 parity) { emulator->wait_barrier(barrier, parity); }
inline void CopyBulk(uint32 to, const void* from, int bytes, uint32 barrier) {
  if (bytes % 16 != 0 || reinterpret_cast<unsigned long>(from) % 16 != 0) emulator->fail("a bulk copy is not aligned");
  Shared(to, 16), Shared(to + bytes - 16, 16);
  emulator->copy_bulk(emulated_shared + to, from, bytes, barrier);
}
inline void FenceAsyncReads() {}
template <int kCount>
void ShrinkRegisters() {}
template <int kCount>
void GrowRegisters() {}
// The warp's lanes are together there (.sync.aligned).
inline void BeginMultiplies() { __syncwarp(); }
inline void CommitMultiplies() { __syncwarp(); }
template <int kLeft>
void WaitMultiplies() {
  __syncwarp();
}
template <class Sum, int kCount>
void PinSums(Sum (&)[kCount]) {}

/// An operand of a warpgroup's matrix instruction, unswizzled.
inline uint64 OperandAt(uint32 address, int column_bytes, int rows_bytes) {
  return uint64(address >> 4 & 0x3fff) | uint64(column_bytes >> 4) << 16 | uint64(rows_bytes >> 4) << 32;
}
inline const unsigned char* ByteOfOperand(uint64 operand, int row, int byte) {
  const uint32 address = (operand & 0x3fff) << 4, column = (operand >> 16 & 0x3fff) << 4,
               rows = (operand >> 32 & 0x3fff) << 4;
  return Shared(address + row / 8 * rows + row % 8 * 16 + byte / 16 * column + byte % 16, 1);
}
template <class Format>
double FloatProduct(uint64 a, int row, uint64 b, int column) {
  double sum = 0;
  for (int k = 0; k < 16; ++k) {
    uint16 x, y;
    memcpy(&x, ByteOfOperand(a, row, 2 * k), 2);
    memcpy(&y, ByteOfOperand(b, column, 2 * k), 2);
    sum += double(Format::Of(x)) * double(Format::Of(y));
  }
  return sum;
}
inline int ByteProduct(uint64 a, int row, uint64 b, int column) {
  int sum = 0;
  for (int k = 0; k < 32; ++k)
    sum += *ByteOfOperand(a, row, k) * int(static_cast<signed char>(*ByteOfOperand(b, column, k)));
  return sum;
}
/// What the host writes as ptx::MultiplyAsync for a tile's width and types (conv_source.cc): done at once.
template <class Format, class Sum, int kCount>
void MultiplyOperands(Sum (&d)[kCount], uint64 a, uint64 b, int accumulate) {
  const int lane = threadIdx.x % 32, warp = threadIdx.x / 32 % 4;
  for (int i = 0; i < kCount; ++i) {
    const int row = 16 * warp + lane / 4 + 8 * (i % 4 / 2), column = i / 4 * 8 + 2 * (lane % 4) + i % 2;
    const Sum before = accumulate ? d[i] : Sum(0);
    if constexpr (Format::kIsInteger)
      d[i] = before + ByteProduct(a, row, b, column);
    else
      d[i] = Sum(double(before) + FloatProduct<Format>(a, row, b, column));
  }
}

inline int Uniform(int v) { return __shfl_sync(0xffffffffu, v, 0); }
inline float Exp2(float x) { return exp2f(x); }
inline float Reciprocal(float x) { return 1.f / x; }
template <class T>
T ShuffleXor(T v, int mask) {
  return __shfl_xor_sync(0xffffffffu, v, mask);
}

inline uint32 PackFloat16s(float low, float high) {
  return __builtin_bit_cast(uint16, _Float16(low)) | uint32(__builtin_bit_cast(uint16, _Float16(high))) << 16;
}
inline float2 UnpackFloat16s(uint32 v) { return {Half::Of(uint16(v)), Half::Of(uint16(v >> 16))}; }
inline uint32 BFloat16Bits(float f) {
  const uint32 b = __float_as_uint(f);
  return f != f ? 0x7fffu : (b + 0x7fffu + (b >> 16 & 1u)) >> 16;
}
inline uint32 PackBFloat16s(float low, float high) { return BFloat16Bits(low) | BFloat16Bits(high) << 16; }
inline uint32 MaxFloat16s(uint32 a, uint32 b) {
  const float2 x = UnpackFloat16s(a), y = UnpackFloat16s(b);
  return PackFloat16s(fmaxf(x.x, y.x), fmaxf(x.y, y.y));
}
inline uint32 MaxBFloat16s(uint32 a, uint32 b) {
  return PackBFloat16s(fmaxf(__uint_as_float(a << 16), __uint_as_float(b << 16)),
                       fmaxf(__uint_as_float(a & 0xffff0000u), __uint_as_float(b & 0xffff0000u)));
}

}  // namespace ptx

/// Behind the kernel's text: what the driver loads.
template <class Arguments>
struct EmulatedCall {
  template <void (*kKernel)(Arguments)>
  static void Run(const void* arguments) {
    kKernel(*static_cast<const Arguments*>(arguments));
  }
};
template <class Arguments>
EmulatedCall<Arguments> EmulatedCallOf(void (*)(Arguments));
template <class Arguments>
constexpr unsigned long EmulatedBytesOf(void (*)(Arguments)) {
  return sizeof(Arguments);
}
#define EMULATED_KERNEL(ENTRY)                                                                          \
  extern "C" {                                                                                          \
  __attribute__((visibility("default")))                                                                \
  EmulatedKernel emulated_kernel = {&emulator, &decltype(EmulatedCallOf(&ENTRY))::template Run<&ENTRY>, \
                                    EmulatedBytesOf(&ENTRY), emulated_shared, sizeof(emulated_shared)}; \
  }
