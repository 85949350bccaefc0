#include <algorithm>
#include <array>
#include <vector>

#include "onnx/tensor_proto.h"
#include "onnx/write_op.h"

namespace tenon {
namespace {

struct AttrName {
  std::string_view ours, onnx;
};

/// Ops that differ from ONNX's in names alone. Attributes that are not listed are not written.
struct DirectOp {
  std::string_view ours, onnx;
  std::vector<AttrName> attrs;
};

const std::vector<DirectOp>& DirectOps() {
  static const std::vector<DirectOp> ops = {
      {"Where", "Where", {}},
      {"Cast", "Cast", {{"to", "to"}}},
      {"Einsum", "Einsum", {{"equation", "equation"}}},
      {"CumSum", "CumSum", {{"exclusive", "exclusive"}, {"reverse", "reverse"}}},
      {"BatchNorm", "BatchNormalization", {{"epsilon", "epsilon"}}},
      {"LayerNorm", "LayerNormalization", {{"axis", "axis"}, {"epsilon", "epsilon"}}},
      {"Lrn", "LRN", {{"size", "size"}, {"alpha", "alpha"}, {"beta", "beta"}, {"bias", "bias"}}},
      {"Reshape", "Reshape", {{"allow_zero", "allowzero"}}},
      {"Transpose", "Transpose", {{"perm", "perm"}}},
      {"Slice", "Slice", {}},
      {"Concat", "Concat", {{"axis", "axis"}}},
      {"Expand", "Expand", {}},
      {"Size", "Size", {}},
      {"Squeeze", "Squeeze", {}},
      {"Unsqueeze", "Unsqueeze", {}},
      {"Range", "Range", {}},
      {"EyeLike", "EyeLike", {{"dtype", "dtype"}, {"k", "k"}}},
      {"Gather", "Gather", {{"axis", "axis"}}},
      {"GatherElements", "GatherElements", {{"axis", "axis"}}},
      {"GatherND", "GatherND", {{"batch_dims", "batch_dims"}}},
      {"ScatterElements", "ScatterElements", {{"axis", "axis"}, {"reduction", "reduction"}}},
      {"ScatterND", "ScatterND", {{"reduction", "reduction"}}},
      {"Pad", "Pad", {{"mode", "mode"}}},
      {"Tile", "Tile", {}},
      {"CenterCropPad", "CenterCropPad", {{"axes", "axes"}}},
      {"OneHot", "OneHot", {{"axis", "axis"}}},
      {"Trilu", "Trilu", {{"upper", "upper"}}},
      {"ReverseSequence", "ReverseSequence", {{"batch_axis", "batch_axis"}, {"time_axis", "time_axis"}}},
      {"NonZero", "NonZero", {}},
      {"TopK", "TopK", {{"axis", "axis"}, {"largest", "largest"}}},
      {"NonMaxSuppression", "NonMaxSuppression", {{"center_point_box", "center_point_box"}}},
      {"Resize",
       "Resize",
       {{"mode", "mode"},
        {"coordinates", "coordinate_transformation_mode"},
        {"nearest", "nearest_mode"},
        {"policy", "keep_aspect_ratio_policy"},
        {"axes", "axes"},
        {"antialias", "antialias"},
        {"exclude_outside", "exclude_outside"},
        {"cubic_coeff_a", "cubic_coeff_a"},
        {"extrapolation_value", "extrapolation_value"}}},
      {"GridSample", "GridSample", {{"mode", "mode"}, {"padding", "padding_mode"}, {"align_corners", "align_corners"}}},
      {"AffineGrid", "AffineGrid", {{"align_corners", "align_corners"}}},
  };
  return ops;
}

/// Writes an op's attributes under ONNX's names.
class AttrWriter final : public AttrVisitor {
 public:
  AttrWriter(const DirectOp& op, NodeAttrs& attrs) : op_(op), attrs_(attrs) {}
  void Int(std::string_view name, int64_t& value) override {
    WithName(name, [&](auto as) { attrs_.Int(as, value); });
  }
  void Bool(std::string_view name, bool& value) override {
    WithName(name, [&](auto as) { attrs_.Int(as, value ? 1 : 0); });
  }
  void Float(std::string_view name, float& value) override {
    WithName(name, [&](auto as) { attrs_.Float(as, value); });
  }
  void String(std::string_view name, std::string& value) override {
    WithName(name, [&](auto as) { attrs_.String(as, value); });
  }
  void Ints(std::string_view name, std::vector<int64_t>& value) override {
    WithName(name, [&](auto as) { attrs_.Ints(as, value); });
  }
  void Floats(std::string_view name, std::vector<float>&) override {
    TENON_CHECK(false, "{}: no attribute {} in ONNX", op_.ours, name);
  }
  void Type(std::string_view name, DType& value) override {
    WithName(name, [&](auto as) { attrs_.Int(as, OnnxFromDType(value)); });
  }
  void Body(std::string_view name, std::shared_ptr<Graph>&) override {
    TENON_CHECK(false, "{}: no attribute {} in ONNX", op_.ours, name);
  }

 protected:
  void EnumIndex(std::string_view name, int& value, std::span<const std::string_view> names) override {
    WithName(name, [&](auto as) { attrs_.String(as, names[static_cast<size_t>(value)]); });
  }

 private:
  template <class Write>
  void WithName(std::string_view ours, const Write& write) {
    for (const AttrName& name : op_.attrs) {
      if (name.ours == ours) write(name.onnx);
    }
  }
  const DirectOp& op_;
  NodeAttrs& attrs_;
};

}  // namespace

bool WriteDirectly(const WriteContext& context) {
  const auto& ops = DirectOps();
  const auto found =
      std::find_if(ops.begin(), ops.end(), [&](const DirectOp& op) { return op.ours == context.node().op().name(); });
  if (found == ops.end()) return false;
  NodeAttrs attrs = context.Emit(found->onnx, context.inputs());
  AttrWriter writer(*found, attrs);
  context.node().op().Clone()->VisitAttrs(writer);  // a visitor may write: it takes ops that aren't const
  return true;
}

}  // namespace tenon
