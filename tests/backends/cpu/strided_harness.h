#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "backends/cpu/cpu_device.h"
#include "backends/strided.h"
#include "guarded_buffer.h"

namespace tenon::strided {

using cpu::GuardedBuffer;

/// How a test lays an operand out in memory.
enum class Layout {
  kRowMajor,
  kChannelsLast,  ///< dimension 1 innermost
  kPitched,       ///< channels-last, as channels [3, 3+C) of a wider buffer
  kShuffled,      ///< dimensions in another order, each row with a gap
};

/// Strides in bytes, and how many bytes the whole extends over.
struct PlacedOperand {
  KernelOperand operand;
  int64_t offset = 0, size = 0;
};

inline PlacedOperand Place(DType dtype, const Shape& shape, Layout layout) {
  PlacedOperand placed{{.present = true, .dtype = dtype, .shape = shape}};
  const size_t rank = shape.size();
  std::vector<size_t> order(rank);  // outermost first
  std::iota(order.begin(), order.end(), size_t{0});
  if (layout != Layout::kRowMajor && rank >= 2) {
    if (layout == Layout::kShuffled) {
      std::rotate(order.begin(), order.begin() + 1, order.end());
    } else {
      std::rotate(order.begin() + 1, order.begin() + 2, order.end());
    }
  }
  placed.operand.strides_bytes.assign(rank, 0);
  int64_t stride = SizeOf(dtype);
  for (size_t i = rank; i-- > 0;) {
    placed.operand.strides_bytes[order[i]] = stride;
    stride *= shape[order[i]];
    if (i + 1 == rank && layout == Layout::kPitched) stride += 7 * SizeOf(dtype);
    if (layout == Layout::kShuffled) stride += 2 * SizeOf(dtype);
  }
  if (layout == Layout::kPitched) placed.offset = 3 * SizeOf(dtype);
  placed.size = placed.offset + SizeOf(dtype);
  for (size_t d = 0; d < rank; ++d) placed.size += placed.operand.strides_bytes[d] * std::max<int64_t>(0, shape[d] - 1);
  if (ElemCount(shape) == 0) placed.size = placed.offset + SizeOf(dtype);
  return placed;
}

/// Random elements: floats in [low, high), small integers of both signs, bools.
inline Tensor RandomOperand(DType dtype, const Shape& shape, uint64_t seed, double low = -4, double high = 4) {
  std::mt19937_64 generator(seed);
  std::uniform_real_distribution<double> real(low, high);
  Tensor tensor(DType::kFloat64, shape);
  for (int64_t i = 0; i < tensor.elems(); ++i) {
    const double value = real(generator);
    tensor.data<double>()[i] = IsFloat(dtype)           ? value
                               : dtype == DType::kBool  ? value > 0
                               : dtype == DType::kUInt8 ? std::floor(std::abs(value) * 9)
                                                        : std::floor(value * 9);
  }
  return tensor.CastTo(dtype);
}

struct FamilyCase {
  const Op* op = nullptr;
  std::vector<Tensor> inputs;                         ///< null: absent
  std::vector<Layout> input_layouts, output_layouts;  ///< the last counts for all that follow
  CpuDevice device = CpuDevice::Detect();
  size_t output_count = 100;  ///< the op's outputs beyond are absent
};

inline Layout LayoutAt(const std::vector<Layout>& layouts, size_t i) {
  return layouts.empty() ? Layout::kRowMajor : layouts[std::min(i, layouts.size() - 1)];
}

/// The step's operands in guarded memory.
struct FamilyRun {
  StepProblem problem;
  std::vector<PlacedOperand> inputs, outputs;
  std::vector<std::unique_ptr<GuardedBuffer>> input_memory, output_memory;
  std::vector<const std::byte*> input_addresses;
  std::vector<std::byte*> output_addresses;
};

inline constexpr int kGuardFill = 0x5a;

inline std::unique_ptr<FamilyRun> MakeRun(const FamilyCase& test, const std::vector<TensorType>& types) {
  auto run = std::make_unique<FamilyRun>();
  run->problem.op = test.op;
  for (size_t i = 0; i < test.inputs.size(); ++i) {
    const Tensor& tensor = test.inputs[i];
    run->inputs.push_back(tensor.is_null() ? PlacedOperand{}
                                           : Place(tensor.dtype(), tensor.shape(), LayoutAt(test.input_layouts, i)));
    PlacedOperand& placed = run->inputs.back();
    run->input_memory.push_back(std::make_unique<GuardedBuffer>(static_cast<size_t>(placed.size), kGuardFill));
    std::byte* data = run->input_memory.back()->data() + placed.offset;
    if (!tensor.is_null()) ScatterOperand(tensor, placed.operand, data);
    run->input_addresses.push_back(tensor.is_null() ? nullptr : data);
    run->problem.inputs.push_back(placed.operand);
  }
  for (size_t i = 0; i < types.size(); ++i) {
    run->outputs.push_back(Place(types[i].dtype, *types[i].shape, LayoutAt(test.output_layouts, i)));
    PlacedOperand& placed = run->outputs.back();
    run->output_memory.push_back(std::make_unique<GuardedBuffer>(static_cast<size_t>(placed.size), kGuardFill));
    run->output_addresses.push_back(run->output_memory.back()->data() + placed.offset);
    run->problem.outputs.push_back(placed.operand);
  }
  return run;
}

/// Runs every item, last first: their order must not matter.
inline void Execute(const Kernel& kernel, FamilyRun& run) {
  std::vector<std::byte> scratch(kernel.scratch_bytes() + 64, std::byte{0xff});
  auto* aligned = reinterpret_cast<std::byte*>((reinterpret_cast<uintptr_t>(scratch.data()) + 63) / 64 * 64);
  KernelArgs args{run.input_addresses.data(), run.output_addresses.data(), nullptr};
  for (int64_t item = kernel.work_items(); item-- > 0;) kernel.Run(args, item, aligned);
}

/// Bytes of the output's memory that belong to no element are as they were.
inline void ExpectGapsIntact(const FamilyRun& run, size_t output) {
  const PlacedOperand& placed = run.outputs[output];
  GuardedBuffer touched(static_cast<size_t>(placed.size), 0);
  Tensor ones(DType::kUInt8, placed.operand.shape);
  for (int64_t byte = 0; byte < SizeOf(placed.operand.dtype); ++byte) {
    KernelOperand bytes = placed.operand;
    bytes.dtype = DType::kUInt8;
    std::fill_n(ones.raw(), ones.elems(), std::byte{1});
    ScatterOperand(ones, bytes, touched.data() + placed.offset + byte);
  }
  for (int64_t i = 0; i < placed.size; ++i) {
    if (touched.data()[i] == std::byte{0}) {
      ASSERT_EQ(static_cast<int>(run.output_memory[output]->data()[i]), kGuardFill)
          << "byte " << i << " beside output " << output;
    }
  }
}

/// |got - want| <= absolute + relative * |want|; NaN and infinities must be the same.
struct Tolerance {
  double relative = 0, absolute = 0;
};

inline void ExpectClose(const Tensor& got, const Tensor& want, const Tolerance& tolerance) {
  ASSERT_EQ(got.dtype(), want.dtype());
  ASSERT_EQ(got.shape(), want.shape());
  for (int64_t i = 0; i < got.elems(); ++i) {
    if (!IsFloat(got.dtype())) {
      ASSERT_EQ(got.AsInt(i), want.AsInt(i)) << "element " << i;
      continue;
    }
    const double g = got.AsDouble(i), w = want.AsDouble(i);
    if (std::isnan(w) ? std::isnan(g) : g == w) continue;
    ASSERT_LE(std::abs(g - w), tolerance.absolute + tolerance.relative * std::abs(w))
        << "element " << i << ": " << g << ", not " << w;
  }
}

/// Runs the family's every candidate and compares with Op::Evaluate; candidates must give the same bytes.
inline void ExpectFamilyMatches(const CpuKernelFamily& family, const FamilyCase& test, const Tolerance& tolerance) {
  std::vector<Tensor> want = test.op->Evaluate(test.inputs);
  want.resize(std::min(want.size(), test.output_count));
  std::vector<TensorType> types;
  for (const Tensor& tensor : want) types.push_back(tensor.type());
  auto run = MakeRun(test, types);
  for (size_t i = 0; i < test.inputs.size(); ++i) run->problem.inputs[i].constant = test.inputs[i];
  ASSERT_EQ(family.Supports(run->problem, test.device), "");
  const std::vector<std::string> tactics = family.Candidates(run->problem, test.device);
  ASSERT_FALSE(tactics.empty());
  std::vector<Tensor> first;
  for (const std::string& tactic : tactics) {
    run = MakeRun(test, types);  // as at load: no constants
    const auto kernel = family.Create(run->problem, tactic, test.device);
    Execute(*kernel, *run);
    for (size_t i = 0; i < want.size(); ++i) {
      const Tensor got = GatherOperand(run->outputs[i].operand, run->output_addresses[i]);
      ASSERT_NO_FATAL_FAILURE(ExpectClose(got, want[i], tolerance)) << "output " << i << " tactic " << tactic;
      ASSERT_NO_FATAL_FAILURE(ExpectGapsIntact(*run, i));
      if (first.size() <= i) first.push_back(got);
      EXPECT_TRUE(Identical(first[i], got)) << "tactic " << tactic << " gives other bytes";
    }
  }
}

/// This machine, and this machine without AVX-512.
inline std::vector<CpuDevice> TestDevices() {
  std::vector<CpuDevice> devices = {CpuDevice::Detect()};
  if (devices[0].features.avx512) {
    devices.push_back(devices[0]);
    devices[1].features.avx512 = devices[1].features.avx512_bf16 = devices[1].features.avx512_vnni =
        devices[1].features.amx_bf16 = false;
  }
  return devices;
}

}  // namespace tenon::strided
