#include <algorithm>
#include <cmath>
#include <limits>

#include "backends/cpu/region_body.h"

namespace tenon::cpu {
namespace {

int64_t Wrap(DType dtype, uint64_t value) {
  switch (dtype) {
    case DType::kInt8:
      return static_cast<int8_t>(value);
    case DType::kUInt8:
      return static_cast<uint8_t>(value);
    case DType::kInt32:
      return static_cast<int32_t>(value);
    case DType::kBool:
      return value != 0;
    default:
      return static_cast<int64_t>(value);
  }
}

int64_t LowestOf(DType dtype) {
  switch (dtype) {
    case DType::kInt8:
      return std::numeric_limits<int8_t>::min();
    case DType::kInt32:
      return std::numeric_limits<int32_t>::min();
    case DType::kInt64:
      return std::numeric_limits<int64_t>::min();
    default:
      return 0;
  }
}

int64_t HighestOf(DType dtype) {
  switch (dtype) {
    case DType::kInt8:
      return std::numeric_limits<int8_t>::max();
    case DType::kUInt8:
      return std::numeric_limits<uint8_t>::max();
    case DType::kInt32:
      return std::numeric_limits<int32_t>::max();
    case DType::kBool:
      return 1;
    default:
      return std::numeric_limits<int64_t>::max();
  }
}

/// A bound of Clip as an integer of the type: the limits of the type where it lies beyond them.
int64_t IntegerBound(DType dtype, float bound) {
  if (std::isnan(bound)) return 0;
  if (bound <= static_cast<float>(LowestOf(dtype))) return LowestOf(dtype);
  if (bound >= static_cast<float>(HighestOf(dtype))) return HighestOf(dtype);
  return static_cast<int64_t>(bound);
}

// Division by zero gives zero and the most negative number over -1 wraps, as the reference has it.
int64_t Divide(int64_t x, int64_t y) {
  if (y == 0) return 0;
  return y == -1 ? static_cast<int64_t>(uint64_t{0} - static_cast<uint64_t>(x)) : x / y;
}

int64_t TruncatedMod(int64_t x, int64_t y) { return y == 0 || y == -1 ? 0 : x % y; }

int64_t FlooredMod(int64_t x, int64_t y) {
  const int64_t rest = TruncatedMod(x, y);
  return rest != 0 && (rest < 0) != (y < 0) ? rest + y : rest;
}

float FlooredMod(float x, float y) {
  const float rest = std::fmod(x, y);
  return rest != 0 && (rest < 0) != (y < 0) ? rest + y : rest;
}

int64_t Power(DType dtype, int64_t base, int64_t exponent) {
  if (exponent < 0) {
    if (base == 1) return 1;
    return base == -1 ? (exponent % 2 ? -1 : 1) : 0;
  }
  uint64_t result = 1;
  for (auto square = static_cast<uint64_t>(base); exponent > 0; exponent >>= 1, square *= square) {
    if (exponent & 1) result *= square;
  }
  return Wrap(dtype, result);
}

class InterpretedBody final : public RegionBody {
 public:
  explicit InterpretedBody(const Program& program) : instrs_(program.instrs), load_count_(program.loads.size()) {
    for (const Store& store : program.stores) stores_.push_back(store.value);
    AssignSlots();
  }

  size_t scratch_bytes(int64_t lanes) const override {
    return static_cast<size_t>(slot_count_ * lanes) * sizeof(int64_t) + instrs_.size() * sizeof(std::byte*);
  }

  void Run(std::byte* const* arrays, int64_t lanes, std::byte* scratch) const override {
    auto** values = reinterpret_cast<std::byte**>(scratch);
    std::byte* slots = scratch + instrs_.size() * sizeof(std::byte*);
    for (size_t i = 0; i < instrs_.size(); ++i) {
      const Instr& instr = instrs_[i];
      values[i] = instr.opcode == Opcode::kLoad ? arrays[instr.load]
                                                : slots + slots_[i] * lanes * static_cast<int64_t>(sizeof(int64_t));
      if (instr.opcode != Opcode::kLoad) Compute(instr, values, values[i], lanes);
    }
    for (size_t s = 0; s < stores_.size(); ++s) {
      const std::byte* from = values[stores_[s]];
      const size_t size = IsFloat(instrs_[static_cast<size_t>(stores_[s])].dtype) ? sizeof(float) : sizeof(int64_t);
      std::copy_n(from, static_cast<size_t>(lanes) * size, arrays[load_count_ + s]);
    }
  }

 private:
  /// Values share slots where their lives don't overlap.
  void AssignSlots() {
    std::vector<size_t> last_use(instrs_.size(), 0);
    for (size_t i = 0; i < instrs_.size(); ++i) {
      for (const int arg : instrs_[i].args) {
        if (arg >= 0) last_use[static_cast<size_t>(arg)] = i;
      }
    }
    for (const int value : stores_) last_use[static_cast<size_t>(value)] = instrs_.size();
    std::vector<int64_t> free;
    slots_.assign(instrs_.size(), 0);
    for (size_t i = 0; i < instrs_.size(); ++i) {
      if (instrs_[i].opcode == Opcode::kLoad) continue;
      if (free.empty()) free.push_back(slot_count_++);
      slots_[i] = free.back();
      free.pop_back();
      std::array<int, 3> args = instrs_[i].args;
      std::sort(args.begin(), args.end());
      const auto end = std::unique(args.begin(), args.end());
      for (auto arg = args.begin(); arg != end; ++arg) {
        if (*arg >= 0 && last_use[static_cast<size_t>(*arg)] == i &&
            instrs_[static_cast<size_t>(*arg)].opcode != Opcode::kLoad) {
          free.push_back(slots_[static_cast<size_t>(*arg)]);
        }
      }
    }
  }

  struct Lanes {
    std::byte* const* values;
    std::byte* out;
    int64_t count;
    const Instr& instr;

    template <class T>
    const T* Arg(size_t i) const {
      return reinterpret_cast<const T*>(values[instr.args[i]]);
    }
    template <class T, class Y, class F>
    void Map1(const F& f) const {
      const T* x = Arg<T>(0);
      for (int64_t i = 0; i < count; ++i) reinterpret_cast<Y*>(out)[i] = f(x[i]);
    }
    template <class T, class Y, class F>
    void Map2(const F& f) const {
      const T *x = Arg<T>(0), *y = Arg<T>(1);
      for (int64_t i = 0; i < count; ++i) reinterpret_cast<Y*>(out)[i] = f(x[i], y[i]);
    }
  };

  bool HasFloatArg(const Instr& instr, size_t i) const {
    return IsFloat(instrs_[static_cast<size_t>(instr.args[i])].dtype);
  }

  void Compute(const Instr& instr, std::byte* const* values, std::byte* out, int64_t count) const {
    const Lanes lanes{values, out, count, instr};
    switch (instr.opcode) {
      case Opcode::kLoad:
        return;
      case Opcode::kConst:
        if (IsFloat(instr.dtype)) {
          std::fill_n(reinterpret_cast<float*>(out), count, static_cast<float>(instr.number));
        } else {
          std::fill_n(reinterpret_cast<int64_t*>(out), count, instr.integer);
        }
        return;
      case Opcode::kUnary:
        return HasFloatArg(instr, 0) ? FloatUnary(lanes) : IntegerUnary(lanes);
      case Opcode::kBinary:
        return HasFloatArg(instr, 0) ? FloatBinary(lanes) : IntegerBinary(lanes);
      case Opcode::kWhere:
        return IsFloat(instr.dtype) ? Select<float>(lanes) : Select<int64_t>(lanes);
      case Opcode::kCast:
        return Convert(lanes);
      case Opcode::kFastMax:
        return lanes.Map2<float, float>([](float x, float y) { return x > y ? x : y; });
    }
  }

  template <class T>
  static void Select(const Lanes& lanes) {
    const auto* condition = lanes.Arg<int64_t>(0);
    const T *x = lanes.Arg<T>(1), *y = lanes.Arg<T>(2);
    for (int64_t i = 0; i < lanes.count; ++i) reinterpret_cast<T*>(lanes.out)[i] = condition[i] ? x[i] : y[i];
  }

  /// As static_cast, but defined for floats that don't fit: they give the nearest limit, NaN gives 0.
  void Convert(const Lanes& lanes) const {
    const DType to = lanes.instr.dtype;
    if (IsFloat(to)) return lanes.Map1<int64_t, float>([](int64_t x) { return static_cast<float>(x); });
    if (!HasFloatArg(lanes.instr, 0))
      return lanes.Map1<int64_t, int64_t>([&](int64_t x) { return Wrap(to, static_cast<uint64_t>(x)); });
    if (to == DType::kBool) return lanes.Map1<float, int64_t>([](float x) -> int64_t { return x != 0; });
    lanes.Map1<float, int64_t>([&](float x) { return IntegerBound(to, x); });
  }

  static void FloatUnary(const Lanes& lanes) {
    const Instr& instr = lanes.instr;
    const auto f = [&](float x) { return ApplyUnary(instr.unary, x, instr.alpha, instr.beta); };
    if (instr.dtype == DType::kBool) return lanes.Map1<float, int64_t>([&](float x) -> int64_t { return f(x) != 0; });
    lanes.Map1<float, float>([&](float x) { return static_cast<float>(f(x)); });
  }

  static void IntegerUnary(const Lanes& lanes) {
    const Instr& instr = lanes.instr;
    const auto map = [&](const auto& f) { lanes.Map1<int64_t, int64_t>(f); };
    const auto negate = [&](int64_t x) { return Wrap(instr.dtype, uint64_t{0} - static_cast<uint64_t>(x)); };
    const int64_t low = IntegerBound(instr.dtype, instr.alpha), high = IntegerBound(instr.dtype, instr.beta);
    switch (instr.unary) {
      case UnaryKind::kNot:
        return map([](int64_t x) -> int64_t { return x == 0; });
      case UnaryKind::kRelu:
        return map([](int64_t x) { return std::max<int64_t>(x, 0); });
      case UnaryKind::kClip:
        return map([&](int64_t x) { return std::min(std::max(x, low), high); });
      case UnaryKind::kAbs:
        return map([&](int64_t x) { return x < 0 ? negate(x) : x; });
      case UnaryKind::kNeg:
        return map(negate);
      case UnaryKind::kSign:
        return map([](int64_t x) -> int64_t { return (x > 0) - (x < 0); });
      default:
        return map([](int64_t x) { return x; });
    }
  }

  template <class T>
  static bool Compare(const Lanes& lanes) {
    switch (lanes.instr.binary) {
      case BinaryKind::kEqual:
        return lanes.Map2<T, int64_t>([](T x, T y) -> int64_t { return x == y; }), true;
      case BinaryKind::kLess:
        return lanes.Map2<T, int64_t>([](T x, T y) -> int64_t { return x < y; }), true;
      case BinaryKind::kLessOrEqual:
        return lanes.Map2<T, int64_t>([](T x, T y) -> int64_t { return x <= y; }), true;
      case BinaryKind::kGreater:
        return lanes.Map2<T, int64_t>([](T x, T y) -> int64_t { return x > y; }), true;
      case BinaryKind::kGreaterOrEqual:
        return lanes.Map2<T, int64_t>([](T x, T y) -> int64_t { return x >= y; }), true;
      default:
        return false;
    }
  }

  static void FloatBinary(const Lanes& lanes) {
    if (Compare<float>(lanes)) return;
    const auto map = [&](const auto& f) { lanes.Map2<float, float>(f); };
    switch (lanes.instr.binary) {
      case BinaryKind::kAdd:
        return map([](float x, float y) { return x + y; });
      case BinaryKind::kSub:
        return map([](float x, float y) { return x - y; });
      case BinaryKind::kMul:
        return map([](float x, float y) { return x * y; });
      case BinaryKind::kDiv:
        return map([](float x, float y) { return x / y; });
      case BinaryKind::kPow:
        return map([](float x, float y) { return static_cast<float>(std::pow(double{x}, double{y})); });
      case BinaryKind::kMin:
        return map([](float x, float y) { return std::isnan(x) || x < y ? x : y; });
      case BinaryKind::kMax:
        return map([](float x, float y) { return std::isnan(x) || x > y ? x : y; });
      case BinaryKind::kMod:
        return map([](float x, float y) { return FlooredMod(x, y); });
      case BinaryKind::kFmod:
        return map([](float x, float y) { return std::fmod(x, y); });
      case BinaryKind::kPRelu:
        return map([](float x, float slope) { return x < 0 ? slope * x : x; });
      default:
        TENON_CHECK(false, "{} of floats", kBinaryNames[static_cast<size_t>(lanes.instr.binary)]);
    }
  }

  static void IntegerBinary(const Lanes& lanes) {
    if (Compare<int64_t>(lanes)) return;
    using U = uint64_t;
    const DType dtype = lanes.instr.dtype;
    // Arithmetic in 64 bits, cut to the type, is two's complement wrapping in every type.
    const auto map = [&](const auto& f) {
      lanes.Map2<int64_t, int64_t>([&](int64_t x, int64_t y) { return Wrap(dtype, static_cast<U>(f(x, y))); });
    };
    switch (lanes.instr.binary) {
      case BinaryKind::kAdd:
        return map([](int64_t x, int64_t y) { return static_cast<U>(x) + static_cast<U>(y); });
      case BinaryKind::kSub:
        return map([](int64_t x, int64_t y) { return static_cast<U>(x) - static_cast<U>(y); });
      case BinaryKind::kMul:
        return map([](int64_t x, int64_t y) { return static_cast<U>(x) * static_cast<U>(y); });
      case BinaryKind::kDiv:
        return map(Divide);
      case BinaryKind::kMin:
        return map([](int64_t x, int64_t y) { return std::min(x, y); });
      case BinaryKind::kMax:
        return map([](int64_t x, int64_t y) { return std::max(x, y); });
      case BinaryKind::kMod:
        return map([](int64_t x, int64_t y) { return FlooredMod(x, y); });
      case BinaryKind::kFmod:
        return map(TruncatedMod);
      case BinaryKind::kPow:
        return map([&](int64_t x, int64_t y) { return Power(dtype, x, y); });
      case BinaryKind::kPRelu:
        return map(
            [](int64_t x, int64_t y) { return x < 0 ? static_cast<U>(x) * static_cast<U>(y) : static_cast<U>(x); });
      case BinaryKind::kAnd:
      case BinaryKind::kBitwiseAnd:
        return map([](int64_t x, int64_t y) { return x & y; });
      case BinaryKind::kOr:
      case BinaryKind::kBitwiseOr:
        return map([](int64_t x, int64_t y) { return x | y; });
      case BinaryKind::kXor:
      case BinaryKind::kBitwiseXor:
        return map([](int64_t x, int64_t y) { return x ^ y; });
      default:
        TENON_CHECK(false, "{} of integers", kBinaryNames[static_cast<size_t>(lanes.instr.binary)]);
    }
  }

  std::vector<Instr> instrs_;
  size_t load_count_;
  std::vector<int> stores_;
  std::vector<int64_t> slots_;
  int64_t slot_count_ = 0;
};

}  // namespace

std::unique_ptr<RegionBody> MakeInterpretedBody(const Program& program) {
  return std::make_unique<InterpretedBody>(program);
}

}  // namespace tenon::cpu
