#include "tessera/graph/graph.h"

#include <algorithm>
#include <set>

#include "tessera/base/text.h"
#include "tessera/graph/internal/names.h"

namespace tessera {
namespace {

ValueId append_value(Graph& graph, std::string name, DType dtype, Shape shape) {
  internal::check_value_name(name);
  graph.names.sync(graph.values);
  if (graph.find(name))
    fail(ErrorCode::kInvalidArgument, "the graph has a value called '{}' already", printable(name));
  (void)element_count(shape);  // throws when it overflows
  graph.values.push_back({std::move(name), dtype, std::move(shape)});
  return static_cast<ValueId>(graph.values.size() - 1);
}

bool is_value(const Graph& graph, ValueId id) {
  return id >= 0 && static_cast<size_t>(id) < graph.values.size();
}

/// What verify() knows while it walks the graph.
class Verifier {
 public:
  explicit Verifier(const Graph& graph) : graph_(graph), defined_(graph.values.size(), false) {}

  void run() {
    check_names();
    for (const ValueId id : graph_.inputs) define(id, "an input");
    for (const ValueId id : graph_.parameters) define(id, "a parameter");
    for (const auto& [id, tensor] : graph_.constants) {
      define(id, "a constant");
      const ValueInfo& value = graph_.values[static_cast<size_t>(id)];
      const TensorType type = graph_.type(id);
      check(tensor.is_defined() && tensor.dtype() == type.dtype && tensor.shape() == type.shape(),
            "constant '{}' is declared {} but holds {}", value.name, to_string(type),
            describe(tensor));
    }
    for (size_t i = 0; i < graph_.nodes.size(); ++i) check_node(i);
    for (const ValueId id : graph_.outputs) use(id, "an output");
    for (const Update& update : graph_.updates) check_update(update);
    for (size_t i = 0; i < defined_.size(); ++i) {
      check(defined_[i], "value '{}' is never defined", graph_.values[i].name);
    }
  }

 private:
  template <typename... Args>
  static void check(bool condition, fmt::format_string<Args...> format, Args&&... args) {
    if (!condition) wrong(format, std::forward<Args>(args)...);
  }
  /// Where making the words takes as long as looking, which is done after every pass.
  template <typename... Args>
  [[noreturn]] static void wrong(fmt::format_string<Args...> format, Args&&... args) {
    fail(ErrorCode::kInternal, format, std::forward<Args>(args)...);
  }

  void check_names() const {
    std::set<std::string_view> names;
    NameIndex index = graph_.names;
    index.sync(graph_.values);
    for (const ValueInfo& value : graph_.values) {
      if (!names.insert(value.name).second)
        wrong("two values are called '{}'", printable(value.name));
      if (!index.find(graph_.values, value.name))
        wrong("value '{}' was renamed without Graph::rename", printable(value.name));
    }
  }

  void define(ValueId id, std::string_view what) {
    check(is_value(graph_, id), "{} is value {}, but the graph has {} values", what, id,
          graph_.values.size());
    check(!defined_[static_cast<size_t>(id)], "value '{}' is defined twice",
          graph_.values[static_cast<size_t>(id)].name);
    defined_[static_cast<size_t>(id)] = true;
  }

  void use(ValueId id, std::string_view what) const {
    check(is_value(graph_, id), "{} is value {}, but the graph has {} values", what, id,
          graph_.values.size());
    check(defined_[static_cast<size_t>(id)], "{} is value '{}', which is not defined before it",
          what, graph_.values[static_cast<size_t>(id)].name);
  }

  void check_update(const Update& update) {
    use(update.parameter, "what is updated");
    use(update.value, "an update");
    const std::string& name = graph_.values[static_cast<size_t>(update.parameter)].name;
    const std::vector<ValueId>& parameters = graph_.parameters;
    check(std::find(parameters.begin(), parameters.end(), update.parameter) != parameters.end(),
          "'{}' is updated, but it is no parameter", name);
    check(updated_.insert(update.parameter).second, "'{}' is updated twice", name);
    const TensorType wanted = graph_.type(update.parameter);
    const TensorType found = graph_.type(update.value);
    if (wanted != found)
      wrong("'{}' is {}, but its update is {}", name, to_string(wanted), to_string(found));
  }

  void check_node(size_t index) {
    const Node& node = graph_.nodes[index];
    check(node.op != nullptr, "node {} has no op", index);
    const ErrorContext context([&] {
      return fmt::format("verifying node {} ({}{}{})", index, node.op->name,
                         node.scope.empty() ? "" : " of ", node.scope);
    });
    for (const ValueId id : node.operands) use(id, "an operand");
    std::vector<TensorType> inferred;
    try {
      check(complete_attrs(*node.op, node.attrs) == node.attrs, "its attributes are not complete");
      inferred = infer_results(*node.op, graph_.types(node.operands), node.attrs);
    } catch (const Error& error) {
      if (error.code() == ErrorCode::kInternal) throw;
      fail(ErrorCode::kInternal, "the op refuses it: {}", error.what());
    }
    check(inferred.size() == node.results.size(), "it has {} results, the op gives {}",
          node.results.size(), inferred.size());
    for (size_t r = 0; r < inferred.size(); ++r) {
      define(node.results[r], "a result");
      const TensorType type = graph_.type(node.results[r]);
      if (type.dtype != inferred[r].dtype || type.global != inferred[r].global)
        wrong("result {} is {}, the op gives {}", r, to_string(type), to_string(inferred[r]));
      if (!contains(whole(type.global), type.box))
        wrong("result {} is {}: the box is not inside", r, to_string(type));
    }
  }

  const Graph& graph_;
  std::vector<bool> defined_;
  std::set<ValueId> updated_;
};

}  // namespace

namespace internal {

bool is_name_character(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte > ' ' && byte != 0x7f &&
         std::string_view(",(){}=#\"").find(c) == std::string_view::npos;
}

void check_value_name(std::string_view name) {
  const bool good = !name.empty() && name != ":" && is_utf8(name) &&
                    std::all_of(name.begin(), name.end(), is_name_character);
  if (good) return;
  fail(ErrorCode::kInvalidArgument,
       "'{}' cannot name a value: no blanks and none of , ( ) {{ }} = # \" may be in it",
       printable(name));
}

void append_node(Graph& graph, NewNode node) {
  if (std::any_of(node.scope.begin(), node.scope.end(),
                  [](char c) { return static_cast<unsigned char>(c) < ' '; }))
    fail(ErrorCode::kInvalidArgument, "scope '{}' holds control characters", printable(node.scope));
  for (const ValueId id : node.operands) {
    require(is_value(graph, id), "operand {} is no value of the graph, which has {}", id,
            graph.values.size());
  }
  Attrs attrs = complete_attrs(*node.op, std::move(node.attrs));
  const std::vector<TensorType> types = infer_results(*node.op, graph.types(node.operands), attrs);
  require(node.names.empty() || node.names.size() == types.size(),
          "the op gives {} results, but {} are named", types.size(), node.names.size());
  graph.names.sync(graph.values);
  Node made{node.op,          std::move(node.operands), {},
            std::move(attrs), std::move(node.scope),    std::move(node.sharding)};
  for (size_t r = 0; r < types.size(); ++r) {
    made.results.push_back(static_cast<ValueId>(graph.values.size()));
    std::string name = node.names.empty()
                           ? graph.unused_name(fmt::format("v{}", graph.values.size()))
                           : std::move(node.names[r]);
    graph.values.push_back({std::move(name), types[r].dtype, types[r].global});
  }
  graph.nodes.push_back(std::move(made));
}

}  // namespace internal

ValueId Graph::add_input(std::string name, DType dtype, Shape shape) {
  inputs.push_back(append_value(*this, std::move(name), dtype, std::move(shape)));
  return inputs.back();
}

ValueId Graph::add_parameter(std::string name, DType dtype, Shape shape) {
  parameters.push_back(append_value(*this, std::move(name), dtype, std::move(shape)));
  return parameters.back();
}

ValueId Graph::add_constant(std::string name, Tensor value) {
  const ValueId id = append_value(*this, std::move(name), value.dtype(), value.shape());
  constants.emplace(id, value.contiguous());
  return id;
}

std::vector<ValueId> Graph::emit(const OpDef& op, std::vector<ValueId> operands, Attrs attrs,
                                 std::string scope) {
  const ErrorContext context([&] {
    return fmt::format("adding op '{}'{}{}", op.name, scope.empty() ? "" : " in ", scope);
  });
  internal::append_node(*this, {&op, std::move(operands), std::move(attrs), scope});
  return nodes.back().results;
}

std::optional<ValueId> Graph::find(std::string_view name) const {
  return names.find(values, name);
}

void Graph::rename(ValueId value, std::string name) {
  internal::check_value_name(name);
  const std::optional<ValueId> holder = find(name);
  require(!holder || *holder == value, "the graph has a value called '{}' already",
          printable(name));
  values[static_cast<size_t>(value)].name = std::move(name);
  names.rename(values, value);
}

TensorType Graph::type(ValueId value) const {
  const ValueInfo& entry = values[static_cast<size_t>(value)];
  if (entry.box) return {entry.dtype, entry.shape, *entry.box};
  return {entry.dtype, entry.shape};
}

std::vector<TensorType> Graph::types(std::span<const ValueId> ids) const {
  std::vector<TensorType> result;
  result.reserve(ids.size());
  for (const ValueId id : ids) result.push_back(type(id));
  return result;
}

std::string Graph::unused_name(std::string_view wish) const {
  if (!find(wish)) return std::string(wish);
  for (size_t number = 1;; ++number) {
    std::string name = fmt::format("{}_{}", wish, number);
    if (!find(name)) return name;
  }
}

void verify(const Graph& graph) {
  Verifier(graph).run();
}

}  // namespace tessera
