#pragma once
// The one place that includes ONNX's protobuf classes: the macro must be the one that libonnx_proto was built with.
#define ONNX_ML 1  // onnx_pb.h picks the header by it and defines ONNX_API
#include <onnx/onnx_pb.h>
