#include "quantize/calibration_file.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "base/error.h"
#include "ir/text.h"

namespace tenon {
namespace {

constexpr std::array<std::string_view, 2> kHalves = {"even", "odd"};  // places of the images in their list
constexpr std::string_view kHeader = "tenon calibration 2";

/// Names on a line of their own: line breaks and the escape itself are written as %XX.
std::string Escape(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    escaped += byte < 0x20 || c == '%' ? fmt::format("%{:02X}", byte) : std::string(1, c);
  }
  return escaped;
}

/// Lines, and numbers and words in them; every failure names the line.
class CalibrationReader {
 public:
  explicit CalibrationReader(std::string_view text) : rest_(text) {}

  bool AtEnd() const { return rest_.empty(); }

  /// Starts the next line, which must begin with this word.
  void Line(std::string_view keyword) {
    ++line_number_;
    if (rest_.empty()) Fail(fmt::format("'{}'", keyword));
    const size_t end = rest_.find('\n');
    if (end == std::string_view::npos) Fail("a line that ends");
    line_ = rest_.substr(0, end);
    rest_.remove_prefix(end + 1);
    if (!line_.starts_with(keyword)) Fail(fmt::format("'{}'", keyword));
    line_.remove_prefix(keyword.size());
  }

  template <class T>
  T Number() {
    SkipSpace();
    T value{};
    const auto [end, error] = std::from_chars(line_.data(), line_.data() + line_.size(), value);
    if (error != std::errc()) Fail("a number");
    line_.remove_prefix(static_cast<size_t>(end - line_.data()));
    return value;
  }

  template <class T>
  T Finite() {
    const auto value = Number<T>();
    if (!std::isfinite(value)) Fail("a finite number");
    return value;
  }

  /// This text, after spaces.
  void Word(std::string_view word) {
    SkipSpace();
    if (!line_.starts_with(word)) Fail(fmt::format("'{}'", word));
    line_.remove_prefix(word.size());
  }

  /// A count of things that the text must still hold, each of at least two characters.
  int64_t Count() {
    const auto count = Number<int64_t>();
    if (count < 0 || count > static_cast<int64_t>((rest_.size() + line_.size()) / 2))
      Fail("a count that fits the text");
    return count;
  }

  /// The rest of the line.
  std::string Rest() {
    SkipSpace();
    std::string text;
    while (!line_.empty()) {
      if (line_[0] == '%') {
        unsigned code = 0;
        if (line_.size() < 3 || std::from_chars(line_.data() + 1, line_.data() + 3, code, 16).ptr != line_.data() + 3)
          Fail("%XX");
        text += static_cast<char>(code);
        line_.remove_prefix(3);
      } else {
        text += line_[0];
        line_.remove_prefix(1);
      }
    }
    return text;
  }

  Digest ReadDigest() {
    const std::string text = Rest();
    Digest digest;
    const auto half = [&](size_t at, uint64_t& value) {
      const char* end = text.data() + at + 16;
      if (std::from_chars(text.data() + at, end, value, 16).ptr != end) Fail("a digest of 32 hexadecimal digits");
    };
    if (text.size() != 32) Fail("a digest of 32 hexadecimal digits");
    half(0, digest.high);
    half(16, digest.low);
    return digest;
  }

  void EndOfLine() {
    if (!line_.empty()) Fail("the end of the line");
  }

  [[noreturn]] void Fail(const std::string& expected) const {
    ThrowInvalid({.what = "bad calibration file",
                  .where = fmt::format("line {}", line_number_),
                  .got = std::string(line_.substr(0, 40)),
                  .expected = expected,
                  .hint = "Delete the file to calibrate anew."});
  }

 private:
  void SkipSpace() {
    while (!line_.empty() && line_[0] == ' ') line_.remove_prefix(1);
  }

  std::string_view rest_, line_;
  int line_number_ = 0;
};

std::string PrintTensor(const std::string& name, const TensorStatistics& tensor) {
  const Histogram& h = tensor.histogram();
  std::string text = fmt::format("tensor {}\n", Escape(name));
  text += fmt::format("range {} {} not-finite {}\n", h.min(), h.max(), h.non_finite());
  const auto bins = h.bins();
  text += fmt::format("bins {} of 2^{} from {}:", bins.size(), h.exponent(), bins.empty() ? 0 : h.first_bin());
  for (const int64_t n : bins) text += fmt::format(" {}", n);
  text += fmt::format("\nchannels {} of {}\n", tensor.channels().size(), tensor.count_per_channel());
  for (const ChannelStatistics& c : tensor.channels())
    text += fmt::format("channel {} {} mean {} square {}\n", c.min, c.max, c.mean, c.mean_square);
  return text;
}

Histogram ReadHistogram(CalibrationReader& reader) {
  reader.Line("range ");
  const float min = reader.Finite<float>(), max = reader.Finite<float>();
  reader.Word("not-finite");
  const auto non_finite = reader.Number<int64_t>();
  reader.EndOfLine();
  reader.Line("bins ");
  const int64_t count = reader.Count();
  if (count > Histogram::kBins) reader.Fail(fmt::format("at most {} bins", Histogram::kBins));
  reader.Word("of 2^");
  const int exponent = reader.Number<int>();
  reader.Word("from");
  const auto first = reader.Number<int64_t>();
  reader.Word(":");
  std::vector<int64_t> bins;
  for (int64_t i = 0; i < count; ++i) bins.push_back(reader.Number<int64_t>());
  reader.EndOfLine();
  try {
    return Histogram::FromParts(exponent, first, std::move(bins), min, max, non_finite);
  } catch (const Error& error) {
    reader.Fail(error.what());
  }
}

TensorStatistics ReadTensor(CalibrationReader& reader) {
  Histogram histogram = ReadHistogram(reader);
  reader.Line("channels ");
  const int64_t count = reader.Count();
  reader.Word("of");
  const auto per_channel = reader.Number<int64_t>();
  if (per_channel < 0) reader.Fail("a count");
  reader.EndOfLine();
  std::vector<ChannelStatistics> channels;
  for (int64_t i = 0; i < count; ++i) {
    reader.Line("channel ");
    ChannelStatistics& channel = channels.emplace_back();
    channel.min = reader.Finite<float>();
    channel.max = reader.Finite<float>();
    reader.Word("mean");
    channel.mean = reader.Finite<double>();
    reader.Word("square");
    channel.mean_square = reader.Finite<double>();
    reader.EndOfLine();
  }
  return TensorStatistics::FromParts(std::move(histogram), std::move(channels), per_channel);
}

bool AreAlike(const StatisticsTable& a, const StatisticsTable& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const auto& x, const auto& y) {
    return x.first == y.first && x.second.channels().size() == y.second.channels().size();
  });
}

void ReadTable(CalibrationReader& reader, int64_t tensors, StatisticsTable& table) {
  for (int64_t i = 0; i < tensors; ++i) {
    reader.Line("tensor ");
    const std::string name = reader.Rest();
    if (!table.emplace(name, ReadTensor(reader)).second) reader.Fail("each tensor once");
  }
}

}  // namespace

CalibrationKey MakeCalibrationKey(const Digest& model, const Graph& fused, const CalibrationImages& images) {
  CalibrationKey key;
  key.model = model;
  std::vector<Tensor> weights;  // not part of the structure
  key.graph = HashString(Print(fused, {.externals = &weights}));
  std::string digests;
  for (const std::string& path : images.paths) digests += HashFile(path).ToString();
  key.data = HashString(digests);
  const Preprocess& p = images.preprocess;
  constexpr std::string_view kPlacements[] = {"centred", "top left", "stretched"};
  key.preprocessing =
      fmt::format("{}x{} {} {} pad {} less {},{},{} by {},{},{}", p.width, p.height,
                  kPlacements[static_cast<size_t>(p.placement)], p.order == ColorOrder::kRgb ? "RGB" : "BGR",
                  p.pad_value, p.mean[0], p.mean[1], p.mean[2], p.divisor[0], p.divisor[1], p.divisor[2]);
  return key;
}

std::string PrintCalibration(const Calibration& calibration) {
  const CalibrationKey& key = calibration.key;
  std::string text =
      fmt::format("{}\nmodel {}\ngraph {}\ndata {}\npreprocessing {}\nimages {}\n", kHeader, key.model.ToString(),
                  key.graph.ToString(), key.data.ToString(), Escape(key.preprocessing), calibration.observed.images);
  for (size_t half = 0; half < kHalves.size(); ++half) {
    const StatisticsTable& tensors = calibration.observed.halves[half];
    text += fmt::format("{} tensors {}\n", kHalves[half], tensors.size());
    for (const auto& [name, tensor] : tensors) text += PrintTensor(name, tensor);
  }
  return text;
}

Calibration ParseCalibration(std::string_view text) {
  CalibrationReader reader(text);
  Calibration calibration;
  reader.Line(kHeader);
  reader.EndOfLine();
  reader.Line("model ");
  calibration.key.model = reader.ReadDigest();
  reader.Line("graph ");
  calibration.key.graph = reader.ReadDigest();
  reader.Line("data ");
  calibration.key.data = reader.ReadDigest();
  reader.Line("preprocessing ");
  calibration.key.preprocessing = reader.Rest();
  reader.Line("images ");
  calibration.observed.images = reader.Number<int64_t>();
  reader.EndOfLine();
  for (size_t half = 0; half < kHalves.size(); ++half) {
    reader.Line(kHalves[half]);
    reader.Word("tensors");
    const int64_t tensors = reader.Count();
    reader.EndOfLine();
    ReadTable(reader, tensors, calibration.observed.halves[half]);
  }
  if (!AreAlike(calibration.observed.halves[0], calibration.observed.halves[1]))
    reader.Fail("the same tensors in both halves");
  if (!reader.AtEnd()) reader.Fail("the end of the file");
  return calibration;
}

std::string DescribeDifference(const CalibrationKey& is, const CalibrationKey& should_be) {
  std::string text;
  const auto differs = [&](bool equal, const std::string& what) {
    if (!equal) text += (text.empty() ? "" : ", ") + what;
  };
  differs(is.model == should_be.model, "another model file");
  differs(is.graph == should_be.graph, "another graph (version of Tenon, image size or batch)");
  differs(is.data == should_be.data, "other images");
  differs(is.preprocessing == should_be.preprocessing,
          fmt::format("preprocessing {} instead of {}", is.preprocessing, should_be.preprocessing));
  return text;
}

}  // namespace tenon
