#pragma once
#include <memory>
#include <optional>
#include <string>

#include "cli/head_options.h"
#include "cli/verify_source.h"
#include "verify/matrix.h"

namespace tenon::cli {

/// Flags of the commands that judge engines (verify, ship).
struct JudgeOptions {
  HeadOptions head{.conf = 0.001};
  DatasetOptions data;
  MatrixOptions matrix;
};
/// All of them but --precision, which the commands read differently.
void AddJudgeFlags(CLI::App& command, JudgeOptions& options);

/// What the matrix said of one engine.
struct Verification {
  MatrixResult matrix;
  nlohmann::ordered_json report;  ///< the JSON of docs/cli.md
};

/// Whether a report shall show the time of each layer, which takes another measurement.
enum class LayerTimes { kLeaveOut, kMeasure };

/// Runs the verification matrix on engines of one source. What does not depend on the engine is done once: the data
/// set, the source's detections, the model in half.
class VerifySession {
 public:
  /// Reads the data set. All must outlive the session.
  /// @param source the ONNX file; @param model how it is compiled (input size, timing cache, effort)
  VerifySession(const std::string& source, const ModelOptions& model, const JudgeOptions& options,
                const GlobalOptions& global);

  /// @param name of the engine in the report; @param asked its precision as it should be; empty: as the engine says
  /// Throws Error(kInvalidInput) when the engine was made of another source or is no detector of the data set's
  /// classes.
  Verification Verify(const std::shared_ptr<const EngineModel>& engine, const std::string& name,
                      const std::string& asked, LayerTimes times);

 private:
  const Accuracy& SourceAccuracy();
  const Engine* Half();
  AccuracyOptions ToAccuracyOptions(const char* title) const;
  nlohmann::ordered_json ToJson(const MatrixResult& matrix, const Accuracy& accuracy, const Program& plan,
                                const std::string& name) const;

  const std::string source_path_;
  const JudgeOptions& options_;
  const GlobalOptions& global_;
  const std::shared_ptr<const Device> device_;
  const Dataset dataset_;
  VerifySource source_;
  std::optional<Accuracy> source_accuracy_;
  std::optional<std::optional<Engine>> half_;  ///< outer: not asked for yet
};

}  // namespace tenon::cli
