#pragma once
#include "backends/operands.h"

namespace tenon {

/// Copies the window into a backend's convolution problem, whose members have the same names.
template <class Problem>
void SetGeometry(const WindowGeometry& g, Problem& problem) {
  problem.n = g.n;
  problem.ic = g.ic;
  problem.ih = g.ih;
  problem.iw = g.iw;
  problem.oc = g.oc;
  problem.oh = g.oh;
  problem.ow = g.ow;
  problem.kh = g.kh;
  problem.kw = g.kw;
  problem.stride_h = g.stride_h;
  problem.stride_w = g.stride_w;
  problem.dilation_h = g.dilation_h;
  problem.dilation_w = g.dilation_w;
  problem.pad_top = g.pad_top;
  problem.pad_left = g.pad_left;
}

}  // namespace tenon
