#pragma once
#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

#include "cli/command.h"
#include "cli/device_choice.h"
#include "compile/compiler.h"
#include "onnx/importer.h"
#include "tenon/tenon.hpp"

namespace tenon::cli {

/// Flags of all commands that take a model: what to compile an ONNX file as.
struct ModelOptions {
  std::string model;
  bool half = false, int8 = false, build = false;
  std::string imgsz;  ///< "640" or "480,640"
  std::string batch;  ///< "8", or for export "1,8,32"
  std::string timing_cache;
  int effort = 2;
  bool exact = false;
};
void AddModelFlags(CLI::App& command, ModelOptions& options);
TuneOptions TuneOptionsOf(const ModelOptions& options, const GlobalOptions& global);
/// The same for a further plan of an engine.
TuneOptions TuneOptionsFor(const EngineModel& engine, const ModelOptions& options, const GlobalOptions& global);

/// A model ready to run, and what is known of it.
struct LoadedModel {
  Engine engine;
  std::shared_ptr<const Device> device;     ///< null for the reference
  std::shared_ptr<const EngineModel> file;  ///< null on the reference device
  std::vector<std::string> warnings;
  int batch = 0;  ///< that an engine's contexts are to hold; 0: its smallest
};

/// --batch, ascending; nothing when it wasn't given. Throws Error(kInvalidInput).
std::vector<int64_t> ParseBatches(const std::string& text);
/// The one of --batch; nothing when it wasn't given. Throws Error(kInvalidInput) for several.
std::optional<int64_t> ParseOneBatch(const std::string& text);

/// The batch size that --batch asks of an engine's contexts; 0 when it wasn't given. Throws Error(kInvalidInput) where
/// the engine has none so large.
int EngineBatch(const ModelOptions& options, const EngineModel& model);

/// Height and width of --imgsz; nothing when it wasn't given. Throws Error(kInvalidInput).
struct ImageSize {
  std::optional<int64_t> height, width;
};
ImageSize ParseImageSize(const std::string& text);

/// --imgsz and --batch, of which there is one, as the importer takes them. Throws Error(kInvalidInput).
ImportOptions ToImportOptions(const ModelOptions& options);

/// $XDG_CACHE_HOME/tenon, else ~/.cache/tenon; perhaps not there yet.
std::string CacheFolder();

/// --timing-cache, or the default file under $XDG_CACHE_HOME/tenon.
std::string TimingCachePath(const std::string& flag, const Device& device);
/// Writes the cache there. That the default file can't be written is a warning: the engine is none the worse.
void SaveTimingCache(const TimingCache& cache, const std::string& flag, const Device& device);

/// Compiles an ONNX file for the chosen device as the flags say, for each of --batch; tactics are taken from and put
/// into the timing cache.
CompileResult CompileOnnx(const ModelOptions& options, const GlobalOptions& global, const CompileOptions& compile);

/// Loads an engine or compiles an ONNX file in memory. Prints the device that was chosen.
LoadedModel LoadModel(const ModelOptions& options, const GlobalOptions& global);

}  // namespace tenon::cli
