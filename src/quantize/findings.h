#pragma once
#include <map>
#include <string>

#include "base/memo.h"
#include "quantize/assignment.h"
#include "quantize/judge.h"
#include "quantize/quality.h"
#include "quantize/uneven_tensors.h"

namespace tenon {

/// What INT8 builds of one model on one device have measured. A build that is given those of earlier ones, with other
/// settings, measures what is new alone. Keys hold the images and the settings; not the model, nor the device.
struct Int8Findings {
  Memo<double> noise;
  Memo<ProgramTimes> times;
  Memo<Verdict> verdicts;
  Memo<Drift> drift;
  Memo<UnevenChoice> uneven;
  std::map<std::string, Judge::Scored> float_detections;  ///< by the images
};

}  // namespace tenon
