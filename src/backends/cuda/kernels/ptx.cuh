#pragma once
// The only place with inline assembly: thin names for the PTX that the kernels use. NVRTC alone compiles it, without
// any header of CUDA's. sm_75 has no cp.async and smaller matrix instructions: the same functions do the same with
// those, so that the kernels don't know.

using uint8 = unsigned char;
using uint16 = unsigned short;
using uint32 = unsigned int;
using uint64 = unsigned long long;
using int64 = long long;

#define DEVICE __device__ __forceinline__

namespace ptx {

DEVICE uint32 SharedAddress(const void* p) { return static_cast<uint32>(__cvta_generic_to_shared(p)); }

/// Copies `valid` of kBytes (4, 8 or 16) bytes to shared memory and fills the rest with zeros; asynchronous.
/// The source must be a legal address even where nothing is valid.
template <int kBytes>
DEVICE void CopyAsync(uint32 to, const void* from, int valid) {
#if __CUDA_ARCH__ >= 800
  if constexpr (kBytes == 16)
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(from), "r"(valid) : "memory");
  else
    asm volatile("cp.async.ca.shared.global [%0], [%1], %3, %2;" ::"r"(to), "l"(from), "r"(valid), "n"(kBytes)
                 : "memory");
#else
  for (int i = 0; i < kBytes; i += 4) {
    uint32 word = 0;
    if (i + 4 <= valid)
      word = *reinterpret_cast<const uint32*>(static_cast<const char*>(from) + i);
    else
      for (int b = i; b < valid; ++b) word |= uint32(static_cast<const uint8*>(from)[b]) << 8 * (b - i);
    asm volatile("st.shared.u32 [%0], %1;" ::"r"(to + i), "r"(word) : "memory");
  }
#endif
}

DEVICE void CommitCopies() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.commit_group;" ::: "memory");
#endif
}

/// Waits until at most kLeft of the committed groups are still under way.
template <int kLeft>
DEVICE void WaitCopies() {
#if __CUDA_ARCH__ >= 800
  asm volatile("cp.async.wait_group %0;" ::"n"(kLeft) : "memory");
#endif
}

DEVICE void StoreShared16(uint32 to, uint4 v) {
  asm volatile("st.shared.v4.u32 [%0], {%1,%2,%3,%4};" ::"r"(to), "r"(v.x), "r"(v.y), "r"(v.z), "r"(v.w) : "memory");
}
/// Stores where `wanted`, without a branch that would keep the work of neighbours apart.
DEVICE void StoreGlobalIf(bool wanted, char* to, uint2 v) {
  asm volatile("{.reg .pred p; setp.ne.b32 p, %0, 0; @p st.global.v2.u32 [%1], {%2,%3};}" ::"r"(int(wanted)), "l"(to),
               "r"(v.x), "r"(v.y)
               : "memory");
}
DEVICE void StoreGlobalIf(bool wanted, char* to, uint4 v) {
  asm volatile("{.reg .pred p; setp.ne.b32 p, %0, 0; @p st.global.v4.u32 [%1], {%2,%3,%4,%5};}" ::"r"(int(wanted)),
               "l"(to), "r"(v.x), "r"(v.y), "r"(v.z), "r"(v.w)
               : "memory");
}
DEVICE float4 LoadSharedFloat4(uint32 from) {
  float4 v;
  asm volatile("ld.shared.v4.f32 {%0,%1,%2,%3}, [%4];"
               : "=f"(v.x), "=f"(v.y), "=f"(v.z), "=f"(v.w)
               : "r"(from)
               : "memory");
  return v;
}

/// Four 8x8 matrices of 16-bit elements; lane i gives the address of row i % 8 of matrix i / 8.
DEVICE void LoadMatrices(uint32 (&r)[4], uint32 from) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(from)
               : "memory");
}

/// The same with each matrix transposed.
DEVICE void LoadMatricesTransposed(uint32 (&r)[4], uint32 from) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(from)
               : "memory");
}

/// c[16][8] += a[16][16] * b[16][8], products of half floats summed in FP32.
DEVICE void MmaF16(float (&c)[4], const uint32 (&a)[4], uint32 b0, uint32 b1) {
#if __CUDA_ARCH__ >= 800
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
               : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
#else
  const uint32 b[2] = {b0, b1};
  for (int k = 0; k < 2; ++k)
    asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%5}, {%6}, {%0,%1,%2,%3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[2 * k]), "r"(a[2 * k + 1]), "r"(b[k]));
#endif
}

/// The same for bfloat16 (sm_80 up; the host refuses it below).
DEVICE void MmaBF16(float (&c)[4], const uint32 (&a)[4], uint32 b0, uint32 b1) {
#if __CUDA_ARCH__ >= 800
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
      : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
#endif
}

/// c[16][8] += a[16][32] * b[32][8], unsigned by signed bytes, exact in INT32.
DEVICE void MmaU8S8(int (&c)[4], const uint32 (&a)[4], uint32 b0, uint32 b1) {
#if __CUDA_ARCH__ >= 800
  asm volatile("mma.sync.aligned.m16n8k32.row.col.s32.u8.s8.s32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
               : "+r"(c[0]), "+r"(c[1]), "+r"(c[2]), "+r"(c[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
#else
  const uint32 b[2] = {b0, b1};
  for (int i = 0; i < 4; ++i) {
    const int row = i & 1, k = i >> 1;
    asm volatile("mma.sync.aligned.m8n8k16.row.col.s32.u8.s8.s32 {%0,%1}, {%2}, {%3}, {%0,%1};"
                 : "+r"(c[2 * row]), "+r"(c[2 * row + 1])
                 : "r"(a[i]), "r"(b[k]));
  }
#endif
}

/// Programmatic launch (sm_90 up): until WaitForProducers returns nothing that earlier kernels wrote may be read, and
/// nothing that they read may be written. ReleaseConsumers lets the next kernel's blocks start.
DEVICE void WaitForProducers() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}
DEVICE void ReleaseConsumers() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

// Barriers in shared memory, bulk copies and matrix instructions of warpgroups: sm_90 up; the host refuses the kernels
// that use them below.
#if __CUDA_ARCH__ >= 900

/// A barrier of `count` arrivals a phase.
DEVICE void InitBarrier(uint32 barrier, int count) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(barrier), "r"(count) : "memory");
}
/// Makes barriers that this thread initialised known to the asynchronous copies.
DEVICE void FenceBarriers() { asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory"); }
DEVICE void Arrive(uint32 barrier) {
  asm volatile("{.reg .b64 state; mbarrier.arrive.shared::cta.b64 state, [%0];}" ::"r"(barrier) : "memory");
}
/// Arrives, and has the phase wait for so many bytes of bulk copies too.
DEVICE void ArriveExpecting(uint32 barrier, int bytes) {
  asm volatile("{.reg .b64 state; mbarrier.arrive.expect_tx.shared::cta.b64 state, [%0], %1;}" ::"r"(barrier),
               "r"(bytes)
               : "memory");
}
/// Arrives when all copies that this thread has begun by CopyAsync are done.
DEVICE void ArriveWhenCopied(uint32 barrier) {
  asm volatile("cp.async.mbarrier.arrive.noinc.shared::cta.b64 [%0];" ::"r"(barrier) : "memory");
}
/// Waits until the phase of this parity is over.
DEVICE void WaitBarrier(uint32 barrier, uint32 parity) {
  asm volatile(
      "{\n.reg .pred done;\n"
      "again:\n mbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n @!done bra again;\n}" ::"r"(barrier),
      "r"(parity)
      : "memory");
}

/// Copies a multiple of 16 bytes between places aligned to 16; the barrier is told of each byte that arrives.
DEVICE void CopyBulk(uint32 to, const void* from, int bytes, uint32 barrier) {
  asm volatile("cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::"r"(to),
               "l"(from), "r"(bytes), "r"(barrier)
               : "memory");
}

/// What this thread stored to shared memory is seen by matrix instructions after the barrier that it arrives at next.
DEVICE void FenceAsyncReads() { asm volatile("fence.proxy.async.shared::cta;" ::: "memory"); }

/// Gives registers of a warpgroup's threads back, or takes them: kCount a thread afterwards.
template <int kCount>
DEVICE void ShrinkRegisters() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(kCount));
}
template <int kCount>
DEVICE void GrowRegisters() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(kCount));
}

/// Matrix instructions of a warpgroup (MultiplyAsync, written by the host for the width of the tile): Begin before the
/// first, Commit after a group of them, Wait until at most kLeft groups are under way.
DEVICE void BeginMultiplies() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
DEVICE void CommitMultiplies() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
template <int kLeft>
DEVICE void WaitMultiplies() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(kLeft) : "memory");
}
/// Keeps the compiler from touching sums that matrix instructions may still be writing.
template <int kCount>
DEVICE void PinSums(float (&sums)[kCount]) {
#pragma unroll
  for (int i = 0; i < kCount; ++i) asm volatile("" : "+f"(sums[i])::"memory");
}
template <int kCount>
DEVICE void PinSums(int (&sums)[kCount]) {
#pragma unroll
  for (int i = 0; i < kCount; ++i) asm volatile("" : "+r"(sums[i])::"memory");
}

/// Descriptor of an operand in shared memory, unswizzled: core matrices of 8 rows of 16 bytes, 128 bytes each,
/// `column_bytes` to the next 16 bytes of K and `rows_bytes` to the next 8 rows.
DEVICE uint64 OperandAt(uint32 address, int column_bytes, int rows_bytes) {
  return uint64(address >> 4 & 0x3fff) | uint64(column_bytes >> 4) << 16 | uint64(rows_bytes >> 4) << 32;
}

#endif

/// The same in all lanes, and the compiler knows it.
DEVICE int Uniform(int v) { return __shfl_sync(0xffffffffu, v, 0); }

DEVICE float Exp2(float x) {
  float y;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}
DEVICE float Reciprocal(float x) {
  float y;
  asm("rcp.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
  return y;
}

/// Two half floats, the first in the low bits.
DEVICE uint32 PackFloat16s(float low, float high) {
  uint32 v;
  asm("{.reg .b16 l, h; cvt.rn.f16.f32 l, %1; cvt.rn.f16.f32 h, %2; mov.b32 %0, {l, h};}"
      : "=r"(v)
      : "f"(low), "f"(high));
  return v;
}
DEVICE float2 UnpackFloat16s(uint32 v) {
  float2 f;
  asm("{.reg .b16 l, h; mov.b32 {l, h}, %2; cvt.f32.f16 %0, l; cvt.f32.f16 %1, h;}" : "=f"(f.x), "=f"(f.y) : "r"(v));
  return f;
}
/// Two bfloat16s.
DEVICE uint32 PackBFloat16s(float low, float high) {
#if __CUDA_ARCH__ >= 800
  uint32 v;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(v) : "f"(high), "f"(low));
  return v;
#else
  const auto bits = [](float f) {  // to the nearest, ties to even
    const uint32 b = __float_as_uint(f);
    return f != f ? 0x7fffu : (b + 0x7fffu + (b >> 16 & 1u)) >> 16;
  };
  return bits(low) | bits(high) << 16;
#endif
}
/// The greater ones of two pairs, leaving NaN out where the other is a number.
DEVICE uint32 MaxFloat16s(uint32 a, uint32 b) {
#if __CUDA_ARCH__ >= 800
  uint32 v;
  asm("max.f16x2 %0, %1, %2;" : "=r"(v) : "r"(a), "r"(b));
  return v;
#else
  const float2 x = UnpackFloat16s(a), y = UnpackFloat16s(b);
  return PackFloat16s(fmaxf(x.x, y.x), fmaxf(x.y, y.y));
#endif
}
DEVICE uint32 MaxBFloat16s(uint32 a, uint32 b) {
#if __CUDA_ARCH__ >= 800
  uint32 v;
  asm("max.bf16x2 %0, %1, %2;" : "=r"(v) : "r"(a), "r"(b));
  return v;
#else
  return PackBFloat16s(fmaxf(__uint_as_float(a << 16), __uint_as_float(b << 16)),
                       fmaxf(__uint_as_float(a & 0xffff0000u), __uint_as_float(b & 0xffff0000u)));
#endif
}

DEVICE float ShuffleXor(float v, int mask) { return __shfl_xor_sync(0xffffffffu, v, mask); }
DEVICE int ShuffleXor(int v, int mask) { return __shfl_xor_sync(0xffffffffu, v, mask); }

}  // namespace ptx
