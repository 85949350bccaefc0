#include "backends/cuda/region_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <map>
#include <numeric>

#include "backends/cuda/type_names.h"
#include "base/error.h"
#include "ops/pointwise.h"

namespace tenon::cuda {
namespace {

using region::Access;
using region::Instr;
using region::Nest;
using region::Opcode;

constexpr int64_t kVectorBytes = 16;

/// As the functions of kernels/region.cuh are called.
std::string_view Suffix(DType dtype) {
  const std::string_view suffix = TypeSuffix(dtype);
  if (suffix.empty()) throw region::RegionUnsupported{fmt::format("{} on a GPU", ToString(dtype))};
  return suffix;
}

std::string FloatLiteral(float value) {
  return fmt::format("__uint_as_float(0x{:x}u)", std::bit_cast<uint32_t>(value));
}
std::string IntLiteral(int64_t value) { return fmt::format("int64(0x{:x}ull)", static_cast<uint64_t>(value)); }

/// Writes the code of a nest.
class NestWriter {
 public:
  NestWriter(const Nest& nest, const std::vector<KernelOperand>& operands, const std::vector<KernelOperand>& outputs)
      : nest_(nest), operands_(operands), outputs_(outputs) {
    ChooseLoops();
  }

  NestSource Write() {
    NestSource source;
    source.threads =
        std::accumulate(nest_.extents.begin(), nest_.extents.end(), int64_t{1}, std::multiplies<>()) / unroll_;
    WriteIndices();
    for (int64_t u = 0; u < unroll_; ++u) CollectLoads(u);
    WriteLoads();
    for (int64_t u = 0; u < unroll_; ++u) WriteInstrs(u);
    WriteStores();
    source.text = std::move(text_);
    return source;
  }

 private:
  /// How many accesses step by one element along the loop: bytes that neighbours share.
  double Contiguity(const std::vector<Access>& accesses, size_t loop) const {
    double bytes = 0;
    for (const Access& access : accesses) {
      if (access.offset.terms[loop] == SizeOf(access.dtype)) bytes += static_cast<double>(SizeOf(access.dtype));
    }
    return bytes;
  }

  /// Neighbouring threads take neighbouring stores. A thread takes several points along the loop where most elements of
  /// one access lie next to each other, so that it reads (and writes) whole vectors.
  void ChooseLoops() {
    std::vector<Access> all = nest_.program.loads, stores;
    for (const auto& store : nest_.program.stores) stores.push_back(store.access);
    all.insert(all.end(), stores.begin(), stores.end());
    const size_t loops = nest_.extents.size();
    lane_ = unrolled_ = loops == 0 ? 0 : loops - 1;
    double best = 0;
    for (size_t l = 0; l < loops; ++l) {
      const double value = nest_.extents[l] < 8 ? 0 : 2 * Contiguity(stores, l) + Contiguity(nest_.program.loads, l);
      if (value > best) best = value, lane_ = l;
    }
    best = 0;
    for (size_t l = 0; l < loops; ++l) {
      const double value = Contiguity(all, l);
      if (value > best) best = value, unrolled_ = l;
    }
    if (best == 0 || nest_.program.instrs.size() > kMostInstrsToUnroll) return;
    for (const int64_t unroll : {8, 4, 2}) {
      if (nest_.extents[unrolled_] % unroll != 0) continue;
      unroll_ = unroll;
      break;
    }
  }

  template <class... Args>
  void Line(fmt::format_string<Args...> format, Args&&... args) {
    text_ += "  " + fmt::format(format, std::forward<Args>(args)...) + "\n";
  }

  void WriteIndices() {
    std::vector<size_t> order(nest_.extents.size());  // fastest first
    std::iota(order.rbegin(), order.rend(), size_t{0});
    std::stable_partition(order.begin(), order.end(), [&](size_t loop) { return loop == lane_; });
    for (size_t i = 0; i < order.size(); ++i) {
      const size_t loop = order[i];
      const int64_t steps = nest_.extents[loop] / (loop == unrolled_ ? unroll_ : 1);
      const std::string index = i + 1 == order.size() ? "point" : fmt::format("point % {}u", steps);
      Line("const int l{} = int({}){};", loop, index,
           loop == unrolled_ && unroll_ > 1 ? fmt::format(" * {}", unroll_) : "");
      if (i + 1 < order.size()) Line("point /= {}u;", steps);
    }
  }

  /// args.p[k] + the part of the offset that varies; constants come behind.
  std::string BaseOf(size_t pointer, const Access& access) {
    std::string sum;
    for (size_t l = 0; l < access.offset.terms.size(); ++l) {
      if (access.offset.terms[l] != 0) sum += fmt::format(" + int64(l{}) * {}", l, access.offset.terms[l]);
    }
    const auto [found, is_new] = bases_.emplace(fmt::format("args.p[{}]{}", pointer, sum), bases_.size());
    if (is_new) Line("char* const b{} = const_cast<char*>({});", found->second, found->first);
    return fmt::format("b{}", found->second);
  }

  int64_t OffsetOf(const Access& access, int64_t u) const {
    return access.offset.constant + (unroll_ > 1 ? u * access.offset.terms[unrolled_] : 0);
  }

  /// An access of one point of the thread.
  struct Place {
    std::string base;
    DType dtype;
    int64_t alignment;  ///< of the base
    auto operator<=>(const Place&) const = default;
  };

  int64_t AlignmentOf(const KernelOperand& operand, const Access& access) const {
    uint64_t bits = static_cast<uint64_t>(operand.alignment_bytes) | kVectorBytes;
    for (size_t l = 0; l < access.offset.terms.size(); ++l) {
      const int64_t step = l == unrolled_ ? unroll_ : 1;
      bits |= static_cast<uint64_t>(std::abs(access.offset.terms[l] * step));
    }
    return int64_t{1} << std::countr_zero(bits);
  }

  void CollectLoads(int64_t u) {
    for (size_t i = 0; i < nest_.program.loads.size(); ++i) {
      const Access& access = nest_.program.loads[i];
      const auto operand = static_cast<size_t>(access.operand);
      const Place place{BaseOf(operand, access), access.dtype, AlignmentOf(operands_[operand], access)};
      loads_[place].emplace(OffsetOf(access, u), std::string());
    }
  }

  static bool HasVectors(DType dtype) {
    return dtype == DType::kFloat32 || dtype == DType::kFloat16 || dtype == DType::kBFloat16 || SizeOf(dtype) == 1;
  }

  /// Whether 16 bytes from `offset` on are all in `offsets`.
  template <class Map>
  static bool IsWholeVector(const Place& place, const Map& offsets, int64_t offset) {
    if (place.alignment < kVectorBytes || offset % kVectorBytes != 0) return false;
    if (!HasVectors(place.dtype) || place.dtype == DType::kBool) return false;
    for (int64_t b = 0; b < kVectorBytes; b += SizeOf(place.dtype)) {
      if (!offsets.contains(offset + b)) return false;
    }
    return true;
  }

  void WriteLoads() {
    for (auto& [place, offsets] : loads_) {
      const int64_t size = SizeOf(place.dtype);
      for (auto& [offset, name] : offsets) {
        if (!name.empty()) continue;
        if (IsWholeVector(place, offsets, offset)) {
          const int vector = vectors_++;
          Line("const uint4 q{} = Load16({} + {});", vector, place.base, offset);
          for (int64_t b = 0; b < kVectorBytes; b += size)
            offsets[offset + b] = fmt::format("Element{}<{}>(q{})", Suffix(place.dtype), b / size, vector);
        } else {
          name = fmt::format("x{}", singles_++);
          Line("const {} {} = Load{}({} + {});", IsFloat(place.dtype) ? "float" : "int64", name, Suffix(place.dtype),
               place.base, offset);
        }
      }
    }
  }

  std::string Name(int value, int64_t u) const { return fmt::format("v{}_{}", value, u); }
  bool HoldsFloat(int value) const { return IsFloat(nest_.program.instrs[static_cast<size_t>(value)].dtype); }

  void WriteInstrs(int64_t u) {
    for (size_t i = 0; i < nest_.program.instrs.size(); ++i) {
      const Instr& instr = nest_.program.instrs[i];
      Line("const {} {} = {};", IsFloat(instr.dtype) ? "float" : "int64", Name(static_cast<int>(i), u),
           Expression(instr, u));
    }
  }

  std::string Expression(const Instr& instr, int64_t u) {
    const auto arg = [&](size_t i) { return Name(instr.args[i], u); };
    switch (instr.opcode) {
      case Opcode::kLoad:
        return LoadExpression(instr, u);
      case Opcode::kConst:
        return IsFloat(instr.dtype) ? FloatLiteral(static_cast<float>(instr.number)) : IntLiteral(instr.integer);
      case Opcode::kUnary:
        return UnaryExpression(instr, arg(0));
      case Opcode::kBinary:
        return BinaryExpression(instr, arg(0), arg(1));
      case Opcode::kWhere:
        return fmt::format("{} ? {} : {}", arg(0), arg(1), arg(2));
      case Opcode::kCast:
        if (IsFloat(instr.dtype)) return fmt::format("float({})", arg(0));
        return fmt::format("{}{}({})", HoldsFloat(instr.args[0]) ? "FromFloat" : "Wrap", Suffix(instr.dtype), arg(0));
      case Opcode::kFastMax:
        return fmt::format("fast_max({}, {})", arg(0), arg(1));
    }
    return {};
  }

  std::string LoadExpression(const Instr& instr, int64_t u) {
    const Access& access = nest_.program.loads[static_cast<size_t>(instr.load)];
    const auto operand = static_cast<size_t>(access.operand);
    const Place place{BaseOf(operand, access), access.dtype, AlignmentOf(operands_[operand], access)};
    return loads_.at(place).at(OffsetOf(access, u));
  }

  std::string UnaryExpression(const Instr& instr, const std::string& x) const {
    const std::string_view name = kUnaryNames[static_cast<size_t>(instr.unary)];
    if (HoldsFloat(instr.args[0]))
      return fmt::format("{}({}, {}, {})", name, x, FloatLiteral(instr.alpha), FloatLiteral(instr.beta));
    const std::string_view suffix = Suffix(instr.dtype);
    if (instr.unary == UnaryKind::kNot) return fmt::format("logical_not({})", x);
    if (instr.unary == UnaryKind::kClip)
      return fmt::format("clip({}, FromFloat{}({}), FromFloat{}({}))", x, suffix, FloatLiteral(instr.alpha), suffix,
                         FloatLiteral(instr.beta));
    const bool is_known = instr.unary == UnaryKind::kRelu || instr.unary == UnaryKind::kAbs ||
                          instr.unary == UnaryKind::kNeg || instr.unary == UnaryKind::kSign;
    return is_known ? fmt::format("Wrap{}({}({}))", suffix, name, x) : x;
  }

  std::string BinaryExpression(const Instr& instr, const std::string& x, const std::string& y) const {
    std::string name(kBinaryNames[static_cast<size_t>(instr.binary)]);
    if (name == "and" || name == "or" || name == "xor") name = "bitwise_" + name;
    const std::string call = fmt::format("{}({}, {})", name, x, y);
    return IsFloat(instr.dtype) || instr.dtype == DType::kBool ? call
                                                               : fmt::format("Wrap{}({})", Suffix(instr.dtype), call);
  }

  void WriteStores() {
    std::map<Place, std::map<int64_t, std::string>> stores;
    for (int64_t u = 0; u < unroll_; ++u) {
      for (const auto& store : nest_.program.stores) {
        const auto output = static_cast<size_t>(store.access.operand);
        const Place place{BaseOf(operands_.size() + output, store.access), store.access.dtype,
                          AlignmentOf(outputs_[output], store.access)};
        stores[place][OffsetOf(store.access, u)] = Name(store.value, u);
      }
    }
    for (const auto& [place, values] : stores) WritePlaceStores(place, values);
  }

  void WritePlaceStores(const Place& place, const std::map<int64_t, std::string>& values) {
    const int64_t size = SizeOf(place.dtype);
    for (auto value = values.begin(); value != values.end();) {
      if (!IsFloat(place.dtype) || !IsWholeVector(place, values, value->first)) {
        Line("Store{}({} + {}, {});", Suffix(place.dtype), place.base, value->first, value->second);
        ++value;
        continue;
      }
      std::string list;
      const int64_t offset = value->first;
      for (int64_t b = 0; b < kVectorBytes; b += size, ++value) list += ", " + value->second;
      Line("Store16{}({} + {}{});", Suffix(place.dtype), place.base, offset, list);
    }
  }

  /// More would only spill registers.
  static constexpr size_t kMostInstrsToUnroll = 40;

  const Nest& nest_;
  const std::vector<KernelOperand>&operands_, &outputs_;
  size_t lane_ = 0, unrolled_ = 0;
  int64_t unroll_ = 1;
  std::string text_;
  std::map<std::string, size_t> bases_;
  std::map<Place, std::map<int64_t, std::string>> loads_;  ///< expressions by byte offset
  int vectors_ = 0, singles_ = 0;
};

}  // namespace

NestSource MakeNestSource(const Nest& nest, const std::vector<KernelOperand>& operands,
                          const std::vector<KernelOperand>& outputs) {
  return NestWriter(nest, operands, outputs).Write();
}

}  // namespace tenon::cuda
