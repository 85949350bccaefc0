#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <random>

#include "ir/limits.h"
#include "ir/text.h"

namespace tenon {
namespace {

constexpr int kMaxDepth = 16;  // of bodies in bodies: hostile text must not exhaust the stack

/// Characters with a position; all the small grammar pieces.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : text_(text) {}

  [[noreturn]] void Fail(const std::string& expected) {
    const std::string_view rest = text_.substr(position_, 20);
    ThrowInvalid({.what = "can't read the graph text",
                  .where = fmt::format("line {}", Line()),
                  .got = rest.empty() ? "the end" : fmt::format("\"{}\"", rest.substr(0, rest.find('\n'))),
                  .expected = expected});
  }
  size_t Line() const { return 1 + static_cast<size_t>(std::count(text_.begin(), text_.begin() + position_, '\n')); }

  void SkipSpace() {
    while (position_ < text_.size()) {
      if (text_[position_] == '#') {
        while (position_ < text_.size() && text_[position_] != '\n') ++position_;
      } else if (std::isspace(static_cast<unsigned char>(text_[position_]))) {
        ++position_;
      } else {
        return;
      }
    }
  }
  bool AtEnd() {
    SkipSpace();
    return position_ == text_.size();
  }
  /// The next character that is no space; 0 at the end.
  char Peek() { return AtEnd() ? 0 : text_[position_]; }
  bool Accept(std::string_view token) {
    SkipSpace();
    if (!text_.substr(position_).starts_with(token)) return false;
    position_ += token.size();
    return true;
  }
  void Expect(std::string_view token) {
    if (!Accept(token)) Fail(fmt::format("\"{}\"", token));
  }
  /// Letters, digits and the characters of names and numbers.
  std::string Word(const char* what) {
    SkipSpace();
    const size_t start = position_;
    while (position_ < text_.size() && (std::isalnum(static_cast<unsigned char>(text_[position_])) ||
                                        std::string_view("_.-+/:@").find(text_[position_]) != std::string_view::npos)) {
      ++position_;
    }
    // A type annotation's colon belongs to the grammar, not to the name.
    while (position_ > start && text_[position_ - 1] == ':') --position_;
    if (position_ == start) Fail(what);
    return std::string(text_.substr(start, position_ - start));
  }
  /// A value's name after the %; quoted where it has other characters than Word's.
  std::string ValueName() {
    Expect("%");
    return Peek() == '"' ? Quoted() : Word("a name");
  }
  std::string Quoted() {
    Expect("\"");
    std::string result;
    while (position_ < text_.size() && text_[position_] != '"') {
      if (text_[position_] == '\\' && position_ + 1 < text_.size()) {
        ++position_;
        result += text_[position_] == 'n' ? '\n' : text_[position_];
      } else {
        result += text_[position_];
      }
      ++position_;
    }
    Expect("\"");
    return result;
  }
  template <class T>
  T Num() {
    SkipSpace();
    T value{};
    const char* begin = text_.data() + position_;
    const auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), value);
    if (error != std::errc()) Fail("a number");
    position_ += static_cast<size_t>(end - begin);
    return value;
  }
  template <class F>
  void List(std::string_view open, std::string_view close, F&& item) {
    Expect(open);
    if (Accept(close)) return;
    do {
      item();
    } while (Accept(","));
    Expect(close);
  }

 private:
  std::string_view text_;
  size_t position_ = 0;
};

DType ReadDType(Cursor& in) {
  const std::string word = in.Word("an element type");
  const auto dtype = ParseDType(word);
  if (!dtype) ThrowInvalid("can't read the graph text (line {}): unknown element type {}", in.Line(), word);
  return *dtype;
}

TensorType ReadType(Cursor& in) {
  TensorType type{ReadDType(in), Shape{}};
  if (in.Accept("[?]")) {
    type.shape.reset();
    return type;
  }
  in.List("[", "]", [&] { type.shape->push_back(in.Num<int64_t>()); });
  ElemCount(*type.shape);
  return type;
}

template <class T>
T ReadElement(Cursor& in) {
  if constexpr (std::is_same_v<T, bool>)
    return in.Num<int64_t>() != 0;
  else if constexpr (std::is_same_v<T, Float16> || std::is_same_v<T, BFloat16>)
    return T(in.Num<float>());
  else
    return in.Num<T>();
}

/// Uniform in [-1, 1) for floats, 0..7 for integers; the same numbers on every platform.
Tensor RandomTensor(const TensorType& type, uint64_t seed) {
  Tensor values(DType::kFloat32, *type.shape);
  std::mt19937_64 generator(seed);
  for (int64_t i = 0; i < values.elems(); ++i) {
    const float unit = static_cast<float>(generator() >> 40) / 16777216.0f;
    values.data<float>()[i] = IsFloat(type.dtype) ? unit * 2 - 1 : std::floor(unit * 8);
  }
  return values.CastTo(type.dtype);
}

Tensor ReadConstant(Cursor& in, const TensorType& type, const std::vector<Tensor>& externals) {
  if (!type.shape) in.Fail("a constant with a shape");
  CheckTensorSize("a constant", type.dtype, *type.shape);
  if (in.Accept("external(")) {
    const auto index = in.Num<uint64_t>();
    in.Expect(")");
    if (index >= externals.size() || externals[index].type() != type) in.Fail("an external constant of this type");
    return externals[index];
  }
  if (in.Accept("random(")) {
    const auto seed = in.Num<uint64_t>();
    in.Expect(")");
    return RandomTensor(type, seed);
  }
  Tensor tensor;
  DispatchDType(type.dtype, [&]<class T>() {
    if (in.Accept("splat(")) {
      tensor = Tensor(type.dtype, *type.shape);
      std::fill_n(tensor.data<T>(), tensor.elems(), ReadElement<T>(in));
      in.Expect(")");
      return;
    }
    // Memory for what the text has, not for what it claims.
    std::vector<T> values;
    const int64_t count = ElemCount(*type.shape);
    in.List("[", "]", [&] {
      if (std::ssize(values) == count) in.Fail(fmt::format("{} values", count));
      values.push_back(ReadElement<T>(in));
    });
    if (std::ssize(values) != count) in.Fail(fmt::format("{} values", count));
    tensor = Tensor(type.dtype, *type.shape);
    std::copy(values.begin(), values.end(), tensor.data<T>());
  });
  return tensor;
}

class GraphReader {
 public:
  GraphReader(Cursor& in, OpFactory factory, const std::vector<Tensor>& externals, int depth)
      : in_(in), factory_(factory), externals_(externals), depth_(depth), graph_(std::make_unique<Graph>()) {}
  std::unique_ptr<Graph> Run();

 private:
  void ReadValueDefinition(bool constant);
  void ReadNode();
  Value* Use(const std::string& name) {
    const auto found = values_.find(name);
    if (found == values_.end()) in_.Fail(fmt::format("a value that is defined, not %{}", name));
    return found->second;
  }
  void Define(const std::string& name, Value* value) {
    if (!values_.emplace(name, value).second) in_.Fail(fmt::format("a new name, not %{}", name));
    graph_->Rename(value, name);
  }

  Cursor& in_;
  OpFactory factory_;
  const std::vector<Tensor>& externals_;
  int depth_;
  std::unique_ptr<Graph> graph_;
  std::map<std::string, Value*> values_;
};

/// Sets each attribute that the text named; the text is read in its own order first, so here each starts a cursor.
class AttrReader final : public AttrVisitor {
 public:
  AttrReader(Cursor& in, std::string attr, OpFactory factory, const std::vector<Tensor>& externals, int depth)
      : in_(in), attr_(std::move(attr)), factory_(factory), externals_(externals), depth_(depth) {}
  void Int(std::string_view name, int64_t& value) override {
    if (Is(name)) value = in_.Num<int64_t>();
  }
  void Bool(std::string_view name, bool& value) override {
    if (Is(name)) value = in_.Accept("true") || (in_.Expect("false"), false);
  }
  void Float(std::string_view name, float& value) override {
    if (Is(name)) value = in_.Num<float>();
  }
  void String(std::string_view name, std::string& value) override {
    if (Is(name)) value = in_.Quoted();
  }
  void Ints(std::string_view name, std::vector<int64_t>& value) override {
    if (!Is(name)) return;
    value.clear();
    in_.List("[", "]", [&] { value.push_back(in_.Num<int64_t>()); });
  }
  void Floats(std::string_view name, std::vector<float>& value) override {
    if (!Is(name)) return;
    value.clear();
    in_.List("[", "]", [&] { value.push_back(in_.Num<float>()); });
  }
  void Type(std::string_view name, DType& value) override {
    if (Is(name)) value = ReadDType(in_);
  }
  void Body(std::string_view name, std::shared_ptr<Graph>& value) override {
    if (Is(name)) value = GraphReader(in_, factory_, externals_, depth_ + 1).Run();
  }
  bool found = false;

 private:
  bool Is(std::string_view name) {
    if (name != attr_) return false;
    return found = true;
  }
  void EnumIndex(std::string_view name, int& value, std::span<const std::string_view> names) override {
    if (!Is(name)) return;
    const std::string word = in_.Word("a name");
    for (size_t i = 0; i < names.size(); ++i) {
      if (names[i] == word) {
        value = static_cast<int>(i);
        return;
      }
    }
    in_.Fail(fmt::format("a value of {}, not {}", name, word));
  }

  Cursor& in_;
  std::string attr_;
  OpFactory factory_;
  const std::vector<Tensor>& externals_;
  int depth_;
};

void ReadAttrs(Cursor& in, Op& op, OpFactory factory, const std::vector<Tensor>& externals, int depth) {
  in.List("{", "}", [&] {
    const std::string name = in.Word("an attribute");
    in.Expect("=");
    AttrReader reader(in, name, factory, externals, depth);
    op.VisitAttrs(reader);
    if (!reader.found) in.Fail(fmt::format("an attribute of {}, not {}", op.name(), name));
  });
}

void GraphReader::ReadValueDefinition(bool constant) {
  const std::string name = in_.ValueName();
  in_.Expect(":");
  TensorType type = ReadType(in_);
  if (!constant) return Define(name, graph_->AddInput(name, std::move(type)));
  in_.Expect("=");
  Define(name, graph_->AddConstant(ReadConstant(in_, type, externals_)));
}

void GraphReader::ReadNode() {
  struct Output {
    std::string name;
    std::optional<TensorType> type;
  };
  std::vector<Output> outputs;
  do {
    if (in_.Accept("_")) {
      outputs.push_back({});
      continue;
    }
    outputs.push_back({in_.ValueName(), {}});
    if (in_.Accept(":")) outputs.back().type = ReadType(in_);
  } while (in_.Accept(","));
  in_.Expect("=");
  const std::string op_name = in_.Word("an op");
  std::unique_ptr<Op> op = factory_(op_name);
  if (!op) in_.Fail(fmt::format("a known op, not {}", op_name));
  std::vector<Value*> inputs;
  in_.List("(", ")", [&] {
    if (in_.Accept("_")) return inputs.push_back(nullptr);
    inputs.push_back(Use(in_.ValueName()));
  });
  if (in_.Peek() == '{') ReadAttrs(in_, *op, factory_, externals_, depth_);
  const std::string name = in_.Accept("name ") ? in_.Quoted() : "";
  Node* node = graph_->Add(std::move(op), std::move(inputs), name);
  if (in_.Accept("sources")) {
    std::vector<std::string> sources;
    in_.List("[", "]", [&] { sources.push_back(in_.Quoted()); });
    node->AddSources(sources);
  }
  if (outputs.size() > node->outputs().size())
    in_.Fail(fmt::format("at most {} outputs of {}", node->outputs().size(), op_name));
  // Out of the way first: the name that one output was given by itself may be the next one's in the text.
  for (Value* output : node->outputs()) graph_->Rename(output, "%");
  for (size_t i = 0; i < node->outputs().size(); ++i) {
    if (i >= outputs.size() || outputs[i].name.empty()) {
      graph_->DropOutput(node, i);
      continue;
    }
    if (outputs[i].type && *outputs[i].type != node->output(i)->type()) {
      in_.Fail(fmt::format("%{} to be {}", outputs[i].name, ToString(node->output(i)->type())));
    }
    Define(outputs[i].name, node->output(i));
  }
}

std::unique_ptr<Graph> GraphReader::Run() {
  if (depth_ > kMaxDepth) in_.Fail(fmt::format("at most {} nested bodies", kMaxDepth));
  in_.Expect("graph");
  graph_->name = in_.Quoted();
  in_.Expect("{");
  while (!in_.Accept("}")) {
    if (in_.Accept("meta ")) {
      const std::string key = in_.Quoted();
      graph_->metadata[key] = in_.Quoted();
    } else if (in_.Accept("input ")) {
      ReadValueDefinition(false);
    } else if (in_.Accept("const ")) {
      ReadValueDefinition(true);
    } else if (in_.Accept("output ")) {
      Value* value = Use(in_.ValueName());
      graph_->AddOutput(value, in_.Quoted());
    } else {
      ReadNode();
    }
  }
  return std::move(graph_);
}

}  // namespace

std::unique_ptr<Graph> Parse(std::string_view text, OpFactory factory, const std::vector<Tensor>& externals) {
  Cursor in(text);
  std::unique_ptr<Graph> graph = GraphReader(in, factory, externals, 0).Run();
  if (!in.AtEnd()) in.Fail("the end");
  return graph;
}

void ParseAttrs(Op& op, std::string_view text, OpFactory factory) {
  Cursor in(text);
  if (in.AtEnd()) return;
  ReadAttrs(in, op, factory, {}, 0);
  if (!in.AtEnd()) in.Fail("the end");
}

}  // namespace tenon
