#pragma once
#include <CLI/CLI.hpp>

#include "vision/dataset.h"

namespace tenon::cli {

/// --data (required), --images, --split, --fraction.
void AddDataFlags(CLI::App& command, DatasetOptions& options);

/// LoadDataset; label lines that are left out are logged as warnings.
Dataset LoadDatasetAndReport(const DatasetOptions& options);

}  // namespace tenon::cli
