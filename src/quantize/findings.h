#pragma once
#include <map>
#include <string>
#include <utility>

#include "quantize/assignment.h"
#include "quantize/judge.h"
#include "quantize/quality.h"
#include "quantize/uneven_tensors.h"

namespace tenon {

/// Results by what they depend on, as text.
template <class T>
class Memo {
 public:
  /// What is known under the key, else what `measure` finds; that is kept.
  template <class F>
  const T& Get(const std::string& key, const F& measure) {
    auto found = known_.find(key);
    if (found == known_.end()) found = known_.emplace(key, measure()).first;
    return found->second;
  }

 private:
  std::map<std::string, T> known_;
};

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
