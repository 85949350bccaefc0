#include "backends/region/region_pieces.h"

#include <algorithm>
#include <deque>
#include <optional>

namespace tenon::region {
namespace {

constexpr size_t kMostPieces = 256;
constexpr size_t kMostRoots = 256;
// Cut loops up to this length become roots, so that parts of a Concat which differ in a few rows share a program.
constexpr int64_t kShortLoop = 8;

struct PieceLoop {
  int64_t extent = 1;
  bool is_unrolled = false;
  bool was_cut = false;
};

/// A part of one output: `index` (one entry per dimension) runs over it as the loops run.
struct Piece {
  size_t output = 0;
  std::vector<PieceLoop> loops;
  std::vector<Affine> index;
};

Piece WholeOutput(size_t output, const Shape& shape) {
  Piece piece{.output = output};
  for (const int64_t dim : shape) {
    if (dim != 1) piece.loops.push_back({dim});
  }
  size_t loop = 0;
  for (const int64_t dim : shape) {
    Affine affine{0, std::vector<int64_t>(piece.loops.size(), 0)};
    if (dim != 1) affine.terms[loop++] = 1;
    piece.index.push_back(std::move(affine));
  }
  return piece;
}

std::vector<int64_t> RolledExtents(const Piece& piece) {
  std::vector<int64_t> extents;
  for (const PieceLoop& loop : piece.loops) {
    if (!loop.is_unrolled) extents.push_back(loop.extent);
  }
  return extents;
}

/// The piece's loop that a builder knows as its `rolled`-th.
size_t LoopOf(const Piece& piece, int rolled) {
  size_t loop = 0;
  for (;; ++loop) {
    if (!piece.loops[loop].is_unrolled && rolled-- == 0) return loop;
  }
}

size_t RootCount(const Piece& piece) {
  size_t count = 1;
  for (const PieceLoop& loop : piece.loops) count *= loop.is_unrolled ? static_cast<size_t>(loop.extent) : 1;
  return count;
}

/// The index of root `root`: unrolled loops at that root's step.
std::vector<Affine> RootIndex(const Piece& piece, size_t root) {
  std::vector<Affine> result;
  for (const Affine& affine : piece.index) {
    Affine at{affine.constant, {}};
    size_t rest = root;
    for (size_t l = piece.loops.size(); l-- > 0;) {
      if (piece.loops[l].is_unrolled) {
        const auto extent = static_cast<size_t>(piece.loops[l].extent);
        at.constant += affine.terms[l] * static_cast<int64_t>(rest % extent);
        rest /= extent;
      } else {
        at.terms.insert(at.terms.begin(), affine.terms[l]);
      }
    }
    result.push_back(std::move(at));
  }
  return result;
}

void AddRoots(RegionBuilder& builder, const Piece& piece) {
  for (size_t root = 0; root < RootCount(piece); ++root) builder.AddRoot(piece.output, RootIndex(piece, root));
}

/// What has to change for the piece to be built; nothing when it can be.
std::optional<LoopChange> Probe(RegionBuilder& builder, const Piece& piece) {
  builder.Begin(RolledExtents(piece));
  try {
    AddRoots(builder, piece);
  } catch (const LoopChange& change) {
    return change;
  }
  return std::nullopt;
}

void SplitLoop(Piece& piece, size_t loop, int64_t inner) {
  piece.loops.insert(piece.loops.begin() + static_cast<int64_t>(loop) + 1, {inner, false, piece.loops[loop].was_cut});
  piece.loops[loop].extent /= inner;
  for (Affine& affine : piece.index) {
    const int64_t term = affine.terms[loop];
    affine.terms[loop] = term * inner;
    affine.terms.insert(affine.terms.begin() + static_cast<int64_t>(loop) + 1, term);
  }
}

/// Shortens the piece to its first `at` steps of the loop and returns the rest.
Piece CutLoop(Piece& piece, size_t loop, int64_t at) {
  piece.loops[loop].was_cut = true;
  Piece rest = piece;
  piece.loops[loop].extent = at;
  rest.loops[loop].extent -= at;
  for (Affine& affine : rest.index) affine.constant += affine.terms[loop] * at;
  return rest;
}

class PieceMaker {
 public:
  PieceMaker(const Graph& body, const StepProblem& problem)
      : body_(body), problem_(problem), builder_(body, problem, plan_.constants) {}

  RegionPlan Run() {
    for (size_t i = 0; i < body_.outputs().size(); ++i) {
      if (ElemCount(body_.outputs()[i]->shape()) > 0) MakePieces(WholeOutput(i, body_.outputs()[i]->shape()));
    }
    for (Piece& piece : pieces_) UnrollShortLoops(piece);
    MakeNests();
    return std::move(plan_);
  }

 private:
  void MakePieces(Piece whole) {
    std::deque<Piece> queue = {std::move(whole)};
    while (!queue.empty()) {
      Piece piece = std::move(queue.front());
      queue.pop_front();
      while (const auto change = Probe(builder_, piece)) {
        const size_t loop = LoopOf(piece, change->loop);
        if (change->kind == LoopChange::Kind::kSplit) {
          SplitLoop(piece, loop, change->amount);
        } else if (change->kind == LoopChange::Kind::kCut) {
          queue.push_back(CutLoop(piece, loop, change->amount));
        } else {
          piece.loops[loop].is_unrolled = true;
        }
        if (RootCount(piece) > kMostRoots) throw RegionUnsupported{"too many elements of a softmax at a time"};
        if (queue.size() + pieces_.size() > kMostPieces) throw RegionUnsupported{"an output of too many pieces"};
      }
      pieces_.push_back(std::move(piece));
    }
  }

  void UnrollShortLoops(Piece& piece) {
    Piece unrolled = piece;
    size_t rolled = 0;
    for (PieceLoop& loop : unrolled.loops) {
      if (loop.was_cut && loop.extent <= kShortLoop) loop.is_unrolled = true;
      rolled += !loop.is_unrolled;
    }
    // Without a loop there are no lanes.
    if (rolled > 0 && RootCount(unrolled) <= static_cast<size_t>(kShortLoop)) piece = std::move(unrolled);
  }

  /// Joins pieces under equal loops while the program stays small enough for the caches of code.
  void MakeNests() {
    constexpr size_t kInstrsToJoin = 1500;
    std::vector<bool> is_done(pieces_.size(), false);
    for (size_t first = 0; first < pieces_.size(); ++first) {
      if (is_done[first]) continue;
      const std::vector<int64_t> extents = RolledExtents(pieces_[first]);
      builder_.Begin(extents);
      AddRoots(builder_, pieces_[first]);
      for (size_t other = first + 1; other < pieces_.size() && builder_.instr_count() < kInstrsToJoin; ++other) {
        if (is_done[other] || RolledExtents(pieces_[other]) != extents) continue;
        AddRoots(builder_, pieces_[other]);
        is_done[other] = true;
      }
      plan_.nests.push_back({extents, builder_.Take()});
    }
  }

  const Graph& body_;
  const StepProblem& problem_;
  RegionPlan plan_;
  RegionBuilder builder_;
  std::vector<Piece> pieces_;
};

}  // namespace

RegionPlan MakeRegionNests(const Graph& body, const StepProblem& problem) { return PieceMaker(body, problem).Run(); }

}  // namespace tenon::region
