#include "gpu/conv_cases.h"

#include <fmt/format.h>

#include "gpu/conv_runner.h"

namespace tenon::cuda {
namespace {

constexpr DType kAll[] = {DType::kFloat16, DType::kBFloat16, DType::kFloat32, DType::kInt8};

std::string NameOf(DType compute) { return compute == DType::kInt8 ? "int8" : std::string(ToString(compute)); }

DType DefaultOut(DType compute) { return compute == DType::kInt8 ? DType::kUInt8 : compute; }

struct NamedShape {
  const char* name;
  CaseShape shape;
};

void AddShapes(std::vector<ConvCase>& cases) {
  static constexpr NamedShape kShapes[] = {
      {"plain 3x3", {.ic = 32, .oc = 64, .h = 40, .w = 40}},
      {"1x1", {.ic = 64, .oc = 64}},
      {"1x1 long K", {.ic = 384, .oc = 128, .h = 10, .w = 10}},
      {"stride 2", {.ic = 64, .oc = 128, .h = 40, .w = 40, .stride = 2}},
      {"channel tails", {.ic = 40, .oc = 24, .h = 13, .w = 17}},
      {"odd channels", {.ic = 5, .oc = 3, .h = 9, .w = 11}},
      {"20 to 36", {.ic = 20, .oc = 36, .h = 16, .w = 16}},
      {"concat slices", {.ic = 32, .oc = 48, .extra = 16}},
      {"odd slices", {.ic = 32, .oc = 30, .extra = 3}},
      {"grouped", {.ic = 64, .oc = 64, .groups = 4}},
      {"small groups", {.ic = 24, .oc = 48, .groups = 8}},
      {"dilated", {.ic = 32, .oc = 32, .dilation = 2}},
      {"1x5", {.ic = 32, .oc = 32, .kh = 1, .kw = 5}},
      {"7x7 stride 2", {.ic = 16, .oc = 32, .h = 33, .w = 31, .kh = 7, .kw = 7, .stride = 2}},
      {"tiny map", {.n = 3, .ic = 64, .oc = 32, .h = 3, .w = 2}},
      {"one pixel", {.ic = 96, .oc = 80, .h = 1, .w = 1, .kh = 1, .kw = 1}},
      {"batch 3", {.n = 3, .ic = 64, .oc = 80}},
      {"batch 32", {.n = 32, .ic = 64, .oc = 64, .h = 40, .w = 40}},
      {"large map", {.ic = 16, .oc = 16, .h = 160, .w = 160}},
      {"depthwise", {.ic = 64, .oc = 64, .groups = 64}},
      {"depthwise 5x5 stride 2",
       {.n = 2, .ic = 24, .oc = 24, .h = 21, .w = 19, .kh = 5, .kw = 5, .stride = 2, .groups = 24}},
      {"depthwise 12", {.ic = 12, .oc = 12, .groups = 12}},
      {"depthwise dilated", {.ic = 32, .oc = 32, .dilation = 2, .groups = 32}},
  };
  for (const NamedShape& s : kShapes)
    for (const DType compute : kAll) {
      CaseShape shape = s.shape;
      const bool is_pointwise = std::string_view(s.name).starts_with("1x1");
      if (is_pointwise) shape.kh = shape.kw = 1;
      cases.push_back(
          {fmt::format("{} {}", s.name, NameOf(compute)), MakeProblem(shape, compute, DefaultOut(compute))});
    }
}

/// Images as models take them: three planes of FP32.
void AddStems(std::vector<ConvCase>& cases) {
  for (const DType compute : {DType::kFloat16, DType::kBFloat16, DType::kFloat32})
    for (const int n : {1, 3}) {
      ConvProblem p = MakeProblem({.n = n, .ic = 3, .oc = 16, .h = 64, .w = 96, .stride = 2}, compute, compute);
      p.input = {.dtype = DType::kFloat32,
                 .n_stride = 3 * 64 * 96 * 4,
                 .h_stride = 96 * 4,
                 .w_stride = 4,
                 .c_stride = 64 * 96 * 4};
      p.activation.kind = Activation::kSilu;
      cases.push_back({fmt::format("stem batch {} {}", n, NameOf(compute)), p});
    }
}

void AddActivations(std::vector<ConvCase>& cases) {
  for (size_t i = 0; i < kActivationNames.size(); ++i)
    for (const DType compute : {DType::kFloat16, DType::kFloat32, DType::kInt8}) {
      ConvProblem p = MakeProblem({.ic = 32, .oc = 32, .h = 8, .w = 8}, compute, DefaultOut(compute));
      p.activation = {static_cast<Activation>(i), 0.2f, 0.6f};
      cases.push_back({fmt::format("{} {}", kActivationNames[i], NameOf(compute)), p});
    }
}

void AddEpilogues(std::vector<ConvCase>& cases) {
  for (const DType compute : kAll) {
    ConvProblem p = MakeProblem({.n = 2, .ic = 32, .oc = 32}, compute, DefaultOut(compute));
    p.activation.kind = Activation::kSilu;
    p.residual = ChannelsLast(DefaultOut(compute), p.oh, p.ow, 64);
    cases.push_back({"residual " + NameOf(compute), p});
    p.post = Activation::kRelu;
    p.targets.push_back({ChannelsLast(DefaultOut(compute), p.oh * 2, p.ow * 2, 96), 2});
    cases.push_back({"residual, relu, upsampled copy " + NameOf(compute), p});
    ConvProblem head = MakeProblem({.ic = 64, .oc = 80, .kh = 1, .kw = 1}, compute, DType::kFloat32);
    cases.push_back({"head to f32 " + NameOf(compute), head});
    if (compute != DType::kInt8) continue;
    ConvProblem mixed = MakeProblem({.ic = 64, .oc = 64}, compute, DType::kFloat16);
    mixed.residual = ChannelsLast(DType::kFloat16, mixed.oh, mixed.ow, 64);
    mixed.activation.kind = Activation::kSilu;
    cases.push_back({"int8 to f16 with an f16 residual", mixed});
  }
}

}  // namespace

ConvProblem MakeProblem(const CaseShape& s, DType compute, DType out) {
  ConvProblem p{.n = s.n,
                .ic = s.ic,
                .ih = s.h,
                .iw = s.w,
                .oc = s.oc,
                .kh = s.kh,
                .kw = s.kw,
                .stride_h = s.stride,
                .stride_w = s.stride,
                .dilation_h = s.dilation,
                .dilation_w = s.dilation,
                .pad_top = s.kh / 2 * s.dilation,
                .pad_left = s.kw / 2 * s.dilation,
                .groups = s.groups,
                .compute = compute};
  const auto output_size = [&](int size, int kernel, int pad) {
    return (size + 2 * pad - (kernel - 1) * s.dilation - 1) / s.stride + 1;
  };
  p.oh = output_size(s.h, s.kh, p.pad_top);
  p.ow = output_size(s.w, s.kw, p.pad_left);
  p.input = ChannelsLast(compute == DType::kInt8 ? DType::kUInt8 : compute, s.h, s.w, s.ic + s.extra);
  p.targets = {{ChannelsLast(out, p.oh, p.ow, s.oc + s.extra), 1}};
  p.quantization = {.x = {0.02f, 131}, .residual = {0.03f, 60}, .y = {0.025f, 77}};
  return p;
}

std::vector<ConvCase> ConvCases() {
  std::vector<ConvCase> cases;
  AddShapes(cases);
  AddStems(cases);
  AddActivations(cases);
  AddEpilogues(cases);
  return cases;
}

}  // namespace tenon::cuda
