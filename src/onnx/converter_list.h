#pragma once
#include <string_view>

#include "onnx/converter.h"

namespace tenon {

// Lists of the families: each convert_FAMILY.cc defines one, converter_list.cc joins them.
ConverterList UnaryConverters();
ConverterList BinaryConverters();
ConverterList ConvConverters();
ConverterList PoolConverters();
ConverterList MatMulConverters();
ConverterList NormConverters();
ConverterList ReduceConverters();
ConverterList QuantizeConverters();
ConverterList QLinearConverters();

ConverterList GatherConverters();
ConverterList IndexConverters();
ConverterList PadConverters();
ConverterList ResizeConverters();
ConverterList SampleConverters();
ConverterList SelectConverters();
ConverterList ShapeConverters();

/// Of domain com.microsoft; the others are of ONNX's own.
ConverterList MicrosoftConverters();
ConverterList MicrosoftQLinearConverters();

/// The converter of an ONNX op, null when Tenon has none. `domain`: "" or "ai.onnx" (the same), "com.microsoft", ...
const ConverterEntry* FindConverter(std::string_view domain, std::string_view op_type);

}  // namespace tenon
