// The text of a graph: see graph.h. One line is
//
//   input NAME : TYPE            parameter NAME : TYPE            output NAME
//   constant NAME : TYPE = {value, value}
//   NAME, NAME = op(NAME, NAME) {attr=value} : TYPE, TYPE  # scope
//
// where TYPE is like f32[2,3], or f32[2,3] at [0,1]+[2,2] where a rank has a part. Before the types
// may stand @ "SHARDING". Blank lines and lines that begin with '#' say nothing.
#include <charconv>
#include <complex>
#include <map>
#include <type_traits>

#include "tessera/base/fnv1a.h"
#include "tessera/base/text.h"
#include "tessera/graph/graph.h"
#include "tessera/graph/internal/names.h"

namespace tessera {
namespace {

constexpr int64_t kPrintedElements = 16;

template <typename T>
constexpr bool is_complex =
    std::is_same_v<T, std::complex<float>> || std::is_same_v<T, std::complex<double>>;

template <typename T>
std::string element_text(T value) {
  if constexpr (std::is_same_v<T, bool>) {
    return value ? "1" : "0";
  } else if constexpr (std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>) {
    return fmt::format("{}", static_cast<float>(value));
  } else if constexpr (std::is_same_v<T, Int4x2>) {
    return fmt::format("{}", value.bits);
  } else if constexpr (is_complex<T>) {
    return fmt::format("({} {})", value.real(), value.imag());
  } else {
    return fmt::format("{}", value);
  }
}

std::string constant_text(const Tensor& tensor) {
  if (tensor.size() > kPrintedElements) {
    return fmt::format("digest {:016x}", fnv1a(tensor.bytes()));
  }
  std::vector<std::string> elements;
  visit_dtype(tensor.dtype(), [&](auto tag) {
    for (const auto value : tensor.data<typename decltype(tag)::type>()) {
      elements.push_back(element_text(value));
    }
  });
  return "{" + join(elements, ", ") + "}";
}

std::string names_text(const Graph& graph, std::span<const ValueId> ids) {
  std::vector<std::string> names;
  for (const ValueId id : ids) names.push_back(graph.values[static_cast<size_t>(id)].name);
  return join(names, ", ");
}

std::string declaration(const Graph& graph, ValueId id) {
  return fmt::format("{} : {}", graph.values[static_cast<size_t>(id)].name,
                     to_string(graph.type(id)));
}

/// The attributes that differ from the op's defaults: reading completes them again.
std::string attrs_text(const Node& node) {
  Attrs told = node.attrs;
  for (const AttrDef& attr : node.op->attrs) {
    const auto it = told.find(attr.name);
    if (it != told.end() && !attr.required && it->second == attr.default_value) told.erase(it);
  }
  const std::string text = to_string(told);
  return text.empty() ? text : " " + text;
}

/// The characters of one line, taken from the left.
class LineReader {
 public:
  explicit LineReader(std::string_view text) : rest_(text) { skip_blanks(); }

  bool at_end() const { return rest_.empty(); }
  char next() const { return rest_.empty() ? '\0' : rest_.front(); }
  std::string_view rest() const { return rest_; }

  bool accept(char c) {
    if (next() != c) return false;
    drop(1);
    return true;
  }

  void expect(char c, std::string_view where) {
    require(accept(c), "'{}' wanted {}, found '{}'", c, where, found());
  }

  std::string_view name(std::string_view what) {
    size_t length = 0;
    while (length < rest_.size() && internal::is_name_character(rest_[length])) ++length;
    require(length > 0, "{} wanted, found '{}'", what, found());
    const std::string_view result = rest_.substr(0, length);
    drop(length);
    return result;
  }

  std::vector<std::string_view> names(std::string_view what) {
    std::vector<std::string_view> result{name(what)};
    while (accept(',')) result.push_back(name(what));
    return result;
  }

  /// "{...}" with its braces; strings inside may hold braces. Empty when there is none.
  std::string_view braces() {
    if (next() != '{') return {};
    bool in_string = false;
    for (size_t i = 1; i < rest_.size(); ++i) {
      if (in_string && rest_[i] == '\\') {
        ++i;
      } else if (rest_[i] == '"') {
        in_string = !in_string;
      } else if (rest_[i] == '}' && !in_string) {
        const std::string_view result = rest_.substr(0, i + 1);
        drop(i + 1);
        return result;
      }
    }
    fail(ErrorCode::kInvalidArgument, "'{{' without its '}}'");
  }

  TensorType type() {
    const size_t open = rest_.find('[');
    const size_t close = rest_.find(']');
    require(open < close && close != std::string_view::npos,
            "a type like f32[2,3] wanted, found '{}'", found());
    const DType dtype = parse_dtype(trim(rest_.substr(0, open)));
    Shape shape = parse_shape(rest_.substr(open, close + 1 - open));
    (void)checked_product(element_count(shape), byte_size(dtype));
    drop(close + 1);
    if (!rest_.starts_with("at ")) return {dtype, std::move(shape)};
    drop(3);
    const Shape begin = bracketed();
    expect('+', "between the begin and the size of what is here");
    Box box{begin, bracketed()};
    require(box.begin.size() == shape.size() && box.size.size() == shape.size() &&
                is_inside(box, shape),
            "{} is no part of {}", to_string(box), to_string(shape));
    return {dtype, std::move(shape), std::move(box)};
  }

  /// "\"text\"" without the quotes; nothing may be escaped in it.
  std::string quoted() {
    const size_t close = rest_.empty() ? std::string_view::npos : rest_.find('"', 1);
    require(next() == '"' && close != std::string_view::npos, "a text in quotes wanted, found '{}'",
            found());
    std::string text(rest_.substr(1, close - 1));
    drop(close + 1);
    return text;
  }

  void end() { require(at_end(), "the line goes on with '{}'", found()); }

 private:
  /// "[1,2]".
  Shape bracketed() {
    const size_t close = rest_.find(']');
    require(close != std::string_view::npos, "a list like [0,2] wanted, found '{}'", found());
    const Shape list = parse_shape(rest_.substr(0, close + 1));
    drop(close + 1);
    return list;
  }
  static bool is_inside(const Box& box, const Shape& shape) {
    for (size_t d = 0; d < shape.size(); ++d) {
      const bool fits = box.begin[d] >= 0 && box.size[d] >= 0 && box.begin[d] <= shape[d] &&
                        box.size[d] <= shape[d] - box.begin[d];
      if (!fits) return false;
    }
    return true;
  }
  void drop(size_t count) {
    rest_.remove_prefix(count);
    skip_blanks();
  }
  void skip_blanks() {
    while (!rest_.empty() && (rest_.front() == ' ' || rest_.front() == '\t'))
      rest_.remove_prefix(1);
  }
  std::string found() const { return printable(rest_, 40); }

  std::string_view rest_;
};

template <typename T>
T parse_element(std::string_view text) {
  using Read = std::conditional_t<
      std::is_same_v<T, Half> || std::is_same_v<T, BFloat16>, float,
      std::conditional_t<std::is_same_v<T, bool> || std::is_same_v<T, Int4x2>, uint8_t, T>>;
  Read value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  require(error == std::errc() && end == text.data() + text.size(), "'{}' is no {}",
          printable(text), to_string(dtype_of<T>));
  if constexpr (std::is_same_v<T, bool>) {
    require(value <= 1, "'{}' is no bool: 0 or 1", printable(text));
    return value == 1;
  } else if constexpr (std::is_same_v<T, Int4x2>) {
    return Int4x2{value};
  } else {
    return T(value);
  }
}

Tensor parse_constant(std::string_view text, const TensorType& type) {
  require(text.size() >= 2 && text.front() == '{' && text.back() == '}',
          "values like {{1, 2}} wanted, found '{}'{}", printable(text, 40),
          text.starts_with("digest") ? ": the text of a constant of more than 16 elements does not "
                                       "hold its values"
                                     : "");
  const std::string_view inside = trim(text.substr(1, text.size() - 2));
  std::vector<std::string_view> elements;
  if (!inside.empty()) elements = split(inside, ',');
  require(static_cast<int64_t>(elements.size()) == element_count(type.shape()), "{} values for {}",
          elements.size(), to_string(type));
  Tensor tensor(type.dtype, type.shape());
  visit_dtype(type.dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    if constexpr (is_complex<T>) {
      fail(ErrorCode::kUnsupported, "complex constants have no text that can be read back");
    } else {
      const std::span<T> out = tensor.mutable_data<T>();
      for (size_t i = 0; i < elements.size(); ++i) out[i] = parse_element<T>(trim(elements[i]));
    }
  });
  return tensor;
}

class GraphParser {
 public:
  explicit GraphParser(OpLookup find_op) : find_op_(find_op) {}

  Graph parse(std::string_view text) {
    size_t number = 0;
    for (const std::string_view line : split(text, '\n')) {
      ++number;
      const ErrorContext context([&] { return fmt::format("reading line {} of a graph", number); });
      parse_line(trim(line));
    }
    graph_.names.sync(graph_.values);
    return std::move(graph_);
  }

 private:
  void parse_line(std::string_view line) {
    if (line.empty() || line.front() == '#') return;
    LineReader reader(line);
    const std::string_view word = reader.name("a name");
    const bool is_node = reader.next() == '=' || reader.next() == ',';
    if (!is_node && (word == "input" || word == "parameter")) {
      parse_given(reader, word);
    } else if (!is_node && word == "constant") {
      parse_constant_line(reader);
    } else if (!is_node && word == "output") {
      graph_.outputs.push_back(known(reader.name("the output's name")));
      reader.end();
    } else {
      parse_node(LineReader(line));
    }
  }

  void parse_given(LineReader reader, std::string_view word) {
    const std::string_view name = reader.name("a name");
    require(reader.name("':'") == ":", "':' wanted after the name");
    const TensorType type = reader.type();
    reader.end();
    const ValueId id = append(name, type);
    (word == "input" ? graph_.inputs : graph_.parameters).push_back(id);
  }

  void parse_constant_line(LineReader reader) {
    const std::string_view name = reader.name("a name");
    require(reader.name("':'") == ":", "':' wanted after the name");
    const TensorType type = reader.type();
    reader.expect('=', "before the values");
    Tensor value = parse_constant(reader.rest(), type);
    graph_.constants.emplace(append(name, type), std::move(value));
  }

  void parse_node(LineReader reader) {
    const std::vector<std::string_view> results = reader.names("a result's name");
    reader.expect('=', "after the results");
    const std::string_view op_name = reader.name("an op");
    internal::NewNode node;
    node.op = find_op_(op_name);
    require(node.op != nullptr, "there is no op '{}'", printable(op_name));
    reader.expect('(', "after the op");
    if (reader.next() != ')') {
      for (const std::string_view name : reader.names("an operand")) {
        node.operands.push_back(known(name));
      }
    }
    reader.expect(')', "after the operands");
    const std::string_view attrs = reader.braces();
    if (!attrs.empty()) node.attrs = parse_attrs(attrs);
    if (reader.accept('@')) node.sharding = reader.quoted();
    require(reader.name("':'") == ":", "':' wanted before the types");
    std::vector<TensorType> types{reader.type()};
    while (reader.accept(',')) types.push_back(reader.type());
    if (reader.accept('#')) {
      node.scope = std::string(trim(reader.rest()));
    } else {
      reader.end();
    }
    for (const std::string_view name : results) node.names.push_back(check_new(name));
    append(std::move(node), types);
  }

  void append(internal::NewNode node, std::span<const TensorType> types) {
    const OpDef& op = *node.op;
    {
      const ErrorContext context([&] { return fmt::format("adding op '{}'", op.name); });
      internal::append_node(graph_, std::move(node));
    }
    const Node& made = graph_.nodes.back();
    require(types.size() == made.results.size(), "{} types for {} results", types.size(),
            made.results.size());
    for (size_t r = 0; r < types.size(); ++r) {
      const TensorType type = graph_.type(made.results[r]);
      require(type.dtype == types[r].dtype && type.global == types[r].global,
              "result {} is said to be {}, but '{}' gives {}", r, to_string(types[r]), op.name,
              to_string(type));
      graph_.values[static_cast<size_t>(made.results[r])].box = part(types[r]);
      const std::string& name = graph_.values[static_cast<size_t>(made.results[r])].name;
      require(ids_.emplace(name, made.results[r]).second, "'{}' is defined twice", printable(name));
    }
  }

  ValueId append(std::string_view name, const TensorType& type) {
    graph_.values.push_back({check_new(name), type.dtype, type.global, part(type)});
    const auto id = static_cast<ValueId>(graph_.values.size() - 1);
    ids_.emplace(name, id);
    return id;
  }

  static std::optional<Box> part(const TensorType& type) {
    return type.is_whole() ? std::nullopt : std::optional(type.box);
  }

  std::string check_new(std::string_view name) const {
    internal::check_value_name(name);
    require(ids_.find(name) == ids_.end(), "'{}' is defined twice", printable(name));
    return std::string(name);
  }

  ValueId known(std::string_view name) const {
    const auto it = ids_.find(name);
    require(it != ids_.end(), "'{}' is not defined before this line", printable(name));
    return it->second;
  }

  OpLookup find_op_;
  Graph graph_;
  std::map<std::string, ValueId, std::less<>> ids_;
};

}  // namespace

std::string to_string(const Graph& graph) {
  std::string text;
  for (const ValueId id : graph.inputs) text += "input " + declaration(graph, id) + "\n";
  for (const ValueId id : graph.parameters) text += "parameter " + declaration(graph, id) + "\n";
  for (const auto& [id, tensor] : graph.constants) {
    text += fmt::format("constant {} = {}\n", declaration(graph, id), constant_text(tensor));
  }
  for (const Node& node : graph.nodes) {
    std::vector<std::string> types;
    for (const ValueId id : node.results) types.push_back(to_string(graph.type(id)));
    const std::string sharding =
        node.sharding.empty() ? "" : fmt::format(" @ \"{}\"", node.sharding);
    text += fmt::format("{} = {}({}){}{} : {}{}{}\n", names_text(graph, node.results),
                        node.op->name, names_text(graph, node.operands), attrs_text(node), sharding,
                        join(types, ", "), node.scope.empty() ? "" : "  # ", node.scope);
  }
  for (const ValueId id : graph.outputs) {
    text += fmt::format("output {}\n", graph.values[static_cast<size_t>(id)].name);
  }
  return text;
}

Graph parse_graph(std::string_view text, OpLookup find_op) {
  return GraphParser(find_op).parse(text);
}

}  // namespace tessera
