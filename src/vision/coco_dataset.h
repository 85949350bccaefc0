#pragma once
#include <vector>

#include "vision/dataset.h"

// Parts of LoadDataset; users include vision/dataset.h.
namespace tenon::internal {

/// Images and annotations of a COCO "instances" file; classes are numbered in the order of the category ids.
Dataset LoadCocoDataset(const DatasetOptions& options);
/// The same of the file's text, without a look whether the images are there.
Dataset ParseCoco(const std::string& text, const DatasetOptions& options);

/// Keeps the first part of the samples, at least one. Throws Error(kInvalidInput) outside 0 < fraction <= 1.
void TakeFraction(double fraction, std::vector<Sample>& samples);

}  // namespace tenon::internal
