#include "passes/pass_list.h"

#include "passes/common_subexpressions.h"
#include "passes/constant_folding.h"
#include "passes/dead_code.h"
#include "passes/fold_affine.h"
#include "passes/fuse_attention.h"
#include "passes/fuse_epilogue.h"
#include "passes/lower_dfl.h"
#include "passes/merge_sibling_convs.h"
#include "passes/recognise_activations.h"
#include "passes/remove_no_ops.h"
#include "passes/simplify_arithmetic.h"
#include "passes/simplify_concats.h"
#include "passes/simplify_reshapes.h"

namespace tenon {

std::vector<PassGroup> MakePassList() {
  using Repeat = PassGroup::Repeat;
  return {
      // Cleans up what exporters leave; each of these makes work for the others (a folded shape makes a Reshape a no-op,
      // without which two Concats meet), so they repeat.
      {"simplify", Repeat::kToFixedPoint,
       {{"constant_folding", FoldConstants},
        {"remove_no_ops", RemoveNoOps},
        {"simplify_reshapes", SimplifyReshapes},
        {"simplify_concats", SimplifyConcats},
        {"simplify_arithmetic", SimplifyArithmetic},
        {"common_subexpressions", MergeCommonSubexpressions},
        {"dead_code", RemoveDeadCode}}},
      // Weights take what is affine, so that activations become neighbours of their Conv; what is left is simplified
      // again by the next group.
      {"fold", Repeat::kToFixedPoint, {{"fold_affine", FoldAffine}, {"dead_code", RemoveDeadCode}}},
      // Finds whole functions in the arithmetic.
      {"recognise", Repeat::kOnce,
       {{"recognise_activations", RecogniseActivations},
        {"lower_dfl", LowerDfl},
        {"fuse_attention", FuseAttention}}},
      {"fuse", Repeat::kOnce,
       {{"fuse_epilogue", FuseEpilogue},
        {"merge_sibling_convs", MergeSiblingConvs}}},
  };
}

}  // namespace tenon
