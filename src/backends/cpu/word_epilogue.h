#pragma once
#include "backends/cpu/tile_epilogue.h"

namespace tenon::cpu {

/// EmitEpilogue for tiles with a word_silu, AVX-512: from INT32 sums to bytes through 16-bit words. Takes four
/// accumulators at a time, be they of one pixel or of several: a tile one vector wide fills its words all the same.
void EmitWordEpilogue(JitCode& code, const TileShape& shape, const TileEpilogue& epilogue);

/// Bytes that EmitWordEpilogue wants masked by kByteMask.
inline int WordEpilogueMaskBytes(const TileShape& shape) { return shape.tail_lanes; }

}  // namespace tenon::cpu
