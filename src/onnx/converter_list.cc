#include "onnx/converter_list.h"

#include <map>

namespace tenon {
namespace {

using Table = std::map<std::string_view, ConverterEntry>;

Table Join(std::initializer_list<ConverterList> lists) {
  Table table;
  for (const ConverterList& list : lists) {
    for (const ConverterEntry& entry : list) {
      TENON_CHECK(table.emplace(entry.op_type, entry).second, "two converters for {}", entry.op_type);
    }
  }
  return table;
}

/// The families, declared in converter_list.h: one per file convert_*.cc.
const Table& OnnxTable() {
  static const Table table = Join({
      UnaryConverters(), BinaryConverters(), ConvConverters(), PoolConverters(), MatMulConverters(), NormConverters(),
      ReduceConverters(), QuantizeConverters(), GatherConverters(), IndexConverters(), ResizeConverters(),
      ShapeConverters()});
  return table;
}

}  // namespace

const ConverterEntry* FindConverter(std::string_view domain, std::string_view op_type) {
  if (!domain.empty() && domain != "ai.onnx") return nullptr;
  const auto found = OnnxTable().find(op_type);
  return found == OnnxTable().end() ? nullptr : &found->second;
}

}  // namespace tenon
