#include "engine/share.h"

#include <algorithm>
#include <map>

namespace tenon {
namespace {

/// The first of equal pieces stands for all.
class Pieces {
 public:
  Blob Share(const Blob& piece) {
    const auto bytes = piece.bytes();
    if (bytes.empty()) return piece;
    const auto [found, added] = first_.try_emplace({HashBytes(bytes), bytes.size()}, piece);
    return std::ranges::equal(found->second.bytes(), bytes) ? found->second : piece;
  }
  Tensor Share(const Tensor& piece) {
    if (piece.is_null() || piece.elems() == 0) return piece;
    const auto keep = std::make_shared<Tensor>(piece);
    const Blob own{std::shared_ptr<const std::byte>(keep, piece.bytes().data()), piece.bytes().size()};
    return Tensor(piece.dtype(), piece.shape(), Share(own).data);
  }

 private:
  std::map<std::pair<Digest, size_t>, Blob> first_;
};

}  // namespace

void ShareEqualData(EngineModel& engine) {
  Pieces pieces;
  for (auto& plan : engine.plans) {
    auto shared = std::make_shared<Program>(*plan);
    for (Blob& packed : shared->packed) packed = pieces.Share(packed);
    for (Tensor& constant : shared->constants) constant = pieces.Share(constant);
    for (ProgramCode& code : shared->code) code.code = pieces.Share(code.code);
    plan = std::move(shared);
  }
  const auto share = [&](EngineProfile& profile) {
    for (PortableConstant& constant : profile.constants) constant.plain = pieces.Share(constant.plain);
  };
  share(engine);
  for (EngineProfile& profile : engine.more_profiles) share(profile);
}

}  // namespace tenon
