#pragma once

namespace tenon {

/// The text of onnxruntime_peer.py, put into the program by the build.
extern const char* const kOnnxRuntimeScript;

}  // namespace tenon
