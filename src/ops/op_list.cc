#include "ops/op_list.h"

#include "ops/arg_reduce.h"
#include "ops/conv.h"
#include "ops/cumsum.h"
#include "ops/einsum.h"
#include "ops/fill.h"
#include "ops/gather.h"
#include "ops/grid_sample.h"
#include "ops/index.h"
#include "ops/matmul.h"
#include "ops/nms.h"
#include "ops/norm.h"
#include "ops/pad.h"
#include "ops/pointwise.h"
#include "ops/pool.h"
#include "ops/quantize.h"
#include "ops/reduce.h"
#include "ops/region.h"
#include "ops/resize.h"
#include "ops/roi_align.h"
#include "ops/scatter.h"
#include "ops/select.h"
#include "ops/shape.h"
#include "ops/top_k.h"

namespace tenon {
namespace {

template <class... Ops>
std::unique_ptr<Op> MakeFirstNamed(std::string_view name) {
  std::unique_ptr<Op> made;
  // One branch per op; stops at the first whose name matches.
  ((Ops::kName == name && (made = std::make_unique<Ops>(), true)) || ...);
  return made;
}

}  // namespace

std::unique_ptr<Op> MakeOp(std::string_view name) {
  // clang-format off: one family per line
  return MakeFirstNamed<Unary, Binary, Where, Cast, Conv, ConvTranspose, MatMul, Attention, Einsum, Pool, Reduce,
                        Softmax, ArgReduce, CumSum, BatchNorm, GroupNorm, LayerNorm, Lrn, QuantizeLinear,
                        DequantizeLinear, Reshape, Transpose, Slice, Concat, Split, Expand, ShapeOf, Size, Squeeze,
                        Unsqueeze, Range, EyeLike, Gather, GatherElements, GatherND, ScatterElements, ScatterND, Pad,
                        Tile, CenterCropPad, OneHot, Trilu, ReverseSequence, NonZero, Compress, Unique, TopK,
                        NonMaxSuppression, Resize, GridSample, AffineGrid, RoiAlign, Region>(name);
  // clang-format on
}

}  // namespace tenon
