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
  static const Table table = Join({UnaryConverters(), BinaryConverters(), ConvConverters(), PoolConverters(),
                                   MatMulConverters(), NormConverters(), ReduceConverters(), QuantizeConverters(),
                                   QLinearConverters(), GatherConverters(), IndexConverters(), PadConverters(),
                                   ResizeConverters(), SampleConverters(), SelectConverters(), ShapeConverters()});
  return table;
}

const Table& MicrosoftTable() {
  static const Table table = Join({MicrosoftConverters(), MicrosoftQLinearConverters()});
  return table;
}

const Table* TableOf(std::string_view domain) {
  if (domain.empty() || domain == "ai.onnx") return &OnnxTable();
  return domain == "com.microsoft" ? &MicrosoftTable() : nullptr;
}

}  // namespace

const ConverterEntry* FindConverter(std::string_view domain, std::string_view op_type) {
  const Table* table = TableOf(domain);
  if (!table) return nullptr;
  const auto found = table->find(op_type);
  return found == table->end() ? nullptr : &found->second;
}

}  // namespace tenon
