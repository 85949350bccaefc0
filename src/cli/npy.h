#pragma once
#include <string>

#include "ir/tensor.h"

namespace tenon::cli {

/// NumPy's .npy files, C order, little-endian. Throws Error(kInvalidInput) naming the file.
Tensor ReadNpy(const std::string& path);
/// bfloat16 has no NumPy type: it is written as float32.
void WriteNpy(const Tensor& tensor, const std::string& path);

}  // namespace tenon::cli
