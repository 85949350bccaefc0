#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <limits>

#include "ir/text.h"

namespace tenon {
namespace {

std::string Quote(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      result += '\\';
      result += c;
    } else if (c == '\n') {
      result += "\\n";
    } else {
      result += c;
    }
  }
  return result + '"';
}

/// %name, quoted where it has characters that the grammar gives another meaning.
std::string NameText(const Value& value) {
  const auto plain = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || std::string_view("_.-+/").find(c) != std::string_view::npos;
  };
  const std::string& name = value.name();
  return "%" + (std::all_of(name.begin(), name.end(), plain) ? name : Quote(name));
}

/// Shortest text that reads back as the same number.
template <class T>
std::string Number(T value) {
  if constexpr (std::is_same_v<T, bool>)
    return value ? "1" : "0";
  else if constexpr (std::is_same_v<T, Float16> || std::is_same_v<T, BFloat16>)
    return fmt::format("{}", static_cast<float>(value));
  else if constexpr (std::is_integral_v<T>)
    return fmt::format("{}", static_cast<int64_t>(value));
  else
    return fmt::format("{}", value);
}

/// Collects each attribute's text by name, in the op's order.
class AttrPrinter final : public AttrVisitor {
 public:
  explicit AttrPrinter(const PrintOptions& options, std::string indent)
      : options_(options), indent_(std::move(indent)) {}
  void Int(std::string_view name, int64_t& value) override { Put(name, fmt::format("{}", value)); }
  void Bool(std::string_view name, bool& value) override { Put(name, value ? "true" : "false"); }
  void Float(std::string_view name, float& value) override { Put(name, fmt::format("{}", value)); }
  void String(std::string_view name, std::string& value) override { Put(name, Quote(value)); }
  void Ints(std::string_view name, std::vector<int64_t>& value) override {
    Put(name, fmt::format("[{}]", fmt::join(value, ",")));
  }
  void Floats(std::string_view name, std::vector<float>& value) override {
    Put(name, fmt::format("[{}]", fmt::join(value, ",")));
  }
  void Type(std::string_view name, DType& value) override { Put(name, std::string(ToString(value))); }
  void Body(std::string_view name, std::shared_ptr<Graph>& value) override;

  std::vector<std::pair<std::string, std::string>> attrs;

 private:
  void EnumIndex(std::string_view name, int& value, std::span<const std::string_view> names) override {
    TENON_CHECK(value >= 0 && value < static_cast<int>(names.size()), "{}={}", name, value);
    Put(name, std::string(names[value]));
  }
  void Put(std::string_view name, std::string text) { attrs.emplace_back(name, std::move(text)); }

  const PrintOptions& options_;
  std::string indent_;
};

std::string AttrText(const Op& op, const PrintOptions& options, const std::string& indent) {
  AttrPrinter actual(options, indent), defaults(options, indent);
  const_cast<Op&>(op).VisitAttrs(actual);  // visitors that print don't write
  op.CloneDefault()->VisitAttrs(defaults);
  std::vector<std::string> changed;
  for (size_t i = 0; i < actual.attrs.size(); ++i) {
    const auto& [name, text] = actual.attrs[i];
    if (i >= defaults.attrs.size() || defaults.attrs[i].second != text) changed.push_back(name + "=" + text);
  }
  return changed.empty() ? "" : fmt::format("{{{}}}", fmt::join(changed, ", "));
}

class Printer {
 public:
  Printer(const PrintOptions& options, std::string indent) : options_(options), indent_(std::move(indent)) {}

  std::string Run(const Graph& graph) {
    out_ = fmt::format("graph {} {{\n", Quote(graph.name));
    for (const auto& [key, value] : graph.metadata) Line("meta {} {}", Quote(key), Quote(value));
    for (const Value* input : graph.inputs()) Line("input {}: {}", NameText(*input), ToString(input->type()));
    for (const Value* constant : graph.Constants()) {
      Line("const {}: {} = {}", NameText(*constant), ToString(constant->type()), ConstantText(constant->constant()));
    }
    for (const auto& node : graph.nodes()) PrintNode(*node);
    for (size_t i = 0; i < graph.outputs().size(); ++i) {
      Line("output {} {}", NameText(*graph.outputs()[i]), Quote(graph.output_names()[i]));
    }
    return out_ + indent_ + "}";
  }

 private:
  template <class... Args>
  void Line(fmt::format_string<Args...> format, Args&&... args) {
    out_ += indent_ + "  " + fmt::format(format, std::forward<Args>(args)...) + "\n";
  }

  std::string ConstantText(const Tensor& tensor) {
    if (tensor.elems() > options_.max_inline_elems && options_.externals) {
      options_.externals->push_back(tensor);
      return fmt::format("external({})", options_.externals->size() - 1);
    }
    if (tensor.elems() > options_.max_inline_elems && options_.elide_constants) return "[...]";
    return DispatchDType(tensor.dtype(), [&]<class T>() {
      std::vector<std::string> texts;
      for (const T value : tensor.values<T>()) texts.push_back(Number(value));
      const bool same = texts.size() > 1 && std::equal(texts.begin() + 1, texts.end(), texts.begin());
      return same ? fmt::format("splat({})", texts[0]) : fmt::format("[{}]", fmt::join(texts, ", "));
    });
  }

  static std::string Names(const std::vector<Value*>& values) {
    std::vector<std::string> names;
    for (const Value* value : values) names.push_back(value ? NameText(*value) : "_");
    return fmt::format("{}", fmt::join(names, ", "));
  }

  void PrintNode(const Node& node) {
    std::vector<std::string> outputs;
    for (const Value* output : node.outputs()) {
      outputs.push_back(output ? fmt::format("{}: {}", NameText(*output), ToString(output->type())) : "_");
    }
    std::string line = fmt::format("{} = {}({})", fmt::join(outputs, ", "), node.op().name(), Names(node.inputs()));
    if (const std::string attrs = AttrText(node.op(), options_, indent_ + "  "); !attrs.empty()) line += " " + attrs;
    if (!node.name().empty()) line += " name " + Quote(node.name());
    if (!node.sources().empty()) {
      std::vector<std::string> quoted;
      for (const auto& source : node.sources()) quoted.push_back(Quote(source));
      line += fmt::format(" sources [{}]", fmt::join(quoted, ", "));
    }
    Line("{}", line);
  }

  const PrintOptions& options_;
  std::string indent_, out_;
};

void AttrPrinter::Body(std::string_view name, std::shared_ptr<Graph>& value) {
  Put(name, value ? Printer(options_, indent_ + "  ").Run(*value) : "none");
}

}  // namespace

std::string Print(const Graph& graph, const PrintOptions& options) { return Printer(options, "").Run(graph) + "\n"; }

std::string PrintAttrs(const Op& op) {
  PrintOptions options;
  options.max_inline_elems = std::numeric_limits<int64_t>::max();
  return AttrText(op, options, "");
}

}  // namespace tenon
