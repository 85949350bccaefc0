#include "passes/pass_list.h"

#include "passes/assign_precision.h"
#include "passes/common_subexpressions.h"
#include "passes/constant_folding.h"
#include "passes/dead_code.h"
#include "passes/fold_affine.h"
#include "passes/fold_focus.h"
#include "passes/fold_pads.h"
#include "passes/fuse_attention.h"
#include "passes/fuse_epilogue.h"
#include "passes/fuse_pools.h"
#include "passes/fuse_quantized.h"
#include "passes/fuse_regions.h"
#include "passes/fuse_upsample.h"
#include "passes/hoist_activations.h"
#include "passes/lower_dfl.h"
#include "passes/lower_dynamic_quantization.h"
#include "passes/lower_einsum.h"
#include "passes/merge_sibling_convs.h"
#include "passes/move_quantization.h"
#include "passes/promote_float16.h"
#include "passes/recognise_activations.h"
#include "passes/remove_no_ops.h"
#include "passes/simplify_arithmetic.h"
#include "passes/simplify_concats.h"
#include "passes/simplify_reshapes.h"

namespace tenon {

std::vector<PassGroup> MakeFloatPassList() {
  using Repeat = PassGroup::Repeat;
  return {
      // Every other pass sees the types that will be computed with.
      {"types", Repeat::kOnce, {{"promote_float16", PromoteFloat16}}},
      // Cleans up what exporters leave. Each of these makes work for the others (a folded shape makes a Reshape a
      // no-op,
      // without which two Concats meet), so they repeat.
      {"simplify",
       Repeat::kToFixedPoint,
       {{"constant_folding", FoldConstants},
        {"remove_no_ops", RemoveNoOps},
        {"lower_einsum", LowerEinsum},
        {"lower_dynamic_quantization", LowerDynamicQuantization},
        {"simplify_reshapes", SimplifyReshapes},
        {"simplify_concats", SimplifyConcats},
        {"simplify_arithmetic", SimplifyArithmetic},
        // After the others: what they made equal is merged, and patterns below recognise a value by identity.
        {"common_subexpressions", MergeCommonSubexpressions},
        {"dead_code", RemoveDeadCode}}},
      // Weights take what is affine, so that activations become neighbours of their Conv. Repeats for chains of them.
      {"fold",
       Repeat::kToFixedPoint,
       {{"fold_pads", FoldPads},
        {"fold_focus", FoldFocus},
        {"hoist_activations", HoistActivations},
        {"fold_affine", FoldAffine},
        {"dead_code", RemoveDeadCode}}},
      // Finds whole functions in what is left of the arithmetic.
      {"recognise",
       Repeat::kOnce,
       {{"recognise_activations", RecogniseActivations},
        {"lower_dfl", LowerDfl},
        // Before epilogues, which would take the mask of attention for a residual.
        {"fuse_attention", FuseAttention}}},
      {"fuse",
       Repeat::kOnce,
       {// Again, for the activations that were written out.
        {"hoist_activations", HoistActivations},
        {"fuse_epilogue", FuseEpilogue},
        // Equal activations are part of being siblings, so after epilogues.
        {"merge_sibling_convs", MergeSiblingConvs}}},
      // Joins the Splits that merging made with the Concats that read them.
      {"simplify_again",
       Repeat::kToFixedPoint,
       {{"simplify_concats", SimplifyConcats},
        {"remove_no_ops", RemoveNoOps},
        {"simplify_reshapes", SimplifyReshapes},
        {"dead_code", RemoveDeadCode}}},
  };
}

std::vector<PassGroup> MakePassList() {
  using Repeat = PassGroup::Repeat;
  std::vector<PassGroup> groups = MakeFloatPassList();
  const std::vector<PassGroup> rest = {
      // Q and DQ, from the model or from calibration, go to where kernels take them. Merging makes equal Qs of one
      // tensor one, so that it can be stored in 8 bits alone.
      {"quantise",
       Repeat::kToFixedPoint,
       {{"unsign_activations", UnsignActivations},
        {"move_quantization", MoveQuantization},
        {"common_subexpressions", MergeCommonSubexpressions},
        {"dead_code", RemoveDeadCode}}},
      {"fuse_quantised",
       Repeat::kOnce,
       {{"fuse_quantized", FuseQuantized},
        {"fold_quantized_weights", FoldQuantizedWeights},
        {"constant_folding", FoldConstants},  // Qs of constants that a Concat reads
        {"dead_code", RemoveDeadCode}}},
      // The graph's structure stands: types, then kernels of what no op took. Casts become part of regions.
      {"finish",
       Repeat::kOnce,
       {{"assign_precision", AssignPrecision},
        {"fuse_regions", FuseRegions},
        {"dead_code", RemoveDeadCode},
        // The others know one output per Conv and Pool.
        {"fuse_upsample", FuseUpsample},
        {"fuse_pools", FusePools}}},
  };
  groups.insert(groups.end(), rest.begin(), rest.end());
  return groups;
}

}  // namespace tenon
