#include "tessera/zoo/zoo.h"

#include <set>

#include "tessera/base/text.h"
#include "tessera/zoo/define_model.h"

#define TESSERA_FILE(name) TESSERA_MODEL(name);
#include "tessera/zoo_files.inc"
#undef TESSERA_FILE

namespace tessera {
namespace {

std::vector<ModelDef> make_models() {
  std::vector<ModelDef> models;
#define TESSERA_FILE(file)                   \
  models.push_back(::define_model_##file()); \
  models.back().name = #file;
#include "tessera/zoo_files.inc"
#undef TESSERA_FILE
  return models;
}

const ModelDef& require_model(std::string_view name) {
  std::vector<std::string> names;
  for (const ModelDef& model : all_models()) {
    if (model.name == name) return model;
    names.emplace_back(model.name);
  }
  fail(ErrorCode::kInvalidArgument, "there is no model '{}'{}; known: {}", printable(name),
       suggest(name, names), join(names, ", "));
}

/// The parts of "a=1,b=[2,3]" between the commas that are not inside brackets.
std::vector<std::string_view> split_options(std::string_view text) {
  std::vector<std::string_view> parts;
  int depth = 0;
  size_t begin = 0;
  for (size_t i = 0; i <= text.size(); ++i) {
    if (i == text.size() || (text[i] == ',' && depth == 0)) {
      parts.push_back(trim(text.substr(begin, i - begin)));
      begin = i + 1;
    } else {
      depth += text[i] == '[' ? 1 : text[i] == ']' ? -1 : 0;
    }
  }
  return parts;
}

const AttrDef& require_option(const ModelDef& model, std::string_view name) {
  std::vector<std::string> names;
  for (const AttrDef& option : model.options) {
    if (option.name == name) return option;
    names.emplace_back(option.name);
  }
  fail(ErrorCode::kInvalidArgument, "model '{}' has no option '{}'{}; it has: {}", model.name,
       printable(name), suggest(name, names), join(names, ", "));
}

Attr parse_option(const AttrDef& option, std::string_view text) {
  if (std::holds_alternative<std::string>(option.default_value) && !text.starts_with('"'))
    return std::string(text);
  Attr value = parse_attr(text);
  const bool widen = std::holds_alternative<double>(option.default_value) &&
                     std::holds_alternative<int64_t>(value);
  if (widen) value = static_cast<double>(std::get<int64_t>(value));
  require(value.index() == option.default_value.index(), "option '{}' is {}, got {}", option.name,
          type_name(option.default_value), printable(text));
  return value;
}

}  // namespace

std::span<const ModelDef> all_models() {
  static const std::vector<ModelDef> models = make_models();
  return models;
}

const ModelDef* find_hub_model(std::string_view name) {
  const auto bare = [](std::string_view text) {
    std::string out;
    for (const char c : text)
      if (c != '-' && c != '_' && c != ' ')
        out += c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    return out;
  };
  const std::string wanted = bare(name);
  for (const ModelDef& model : all_models()) {
    if (bare(model.name) == wanted) return &model;
    for (const std::string_view known : model.hub_names)
      if (bare(known) == wanted) return &model;
  }
  return nullptr;
}

ModelSpec spec_of(const ModelDef& model) {
  ModelSpec spec{&model, {}};
  for (const AttrDef& option : model.options)
    spec.options.emplace(option.name, option.default_value);
  return spec;
}

ModelSpec parse_model(std::string_view text) {
  text = trim(text);
  const size_t open = text.find('(');
  ModelSpec spec = spec_of(require_model(trim(text.substr(0, open))));
  if (open == std::string_view::npos) return spec;

  const ErrorContext context([&] { return fmt::format("reading model '{}'", printable(text)); });
  require(text.back() == ')', "model '{}' lacks its closing ')'", printable(text));
  const std::string_view inside = trim(text.substr(open + 1, text.size() - open - 2));
  if (inside.empty()) return spec;
  std::set<std::string_view> given;
  for (const std::string_view part : split_options(inside)) {
    const size_t equals = part.find('=');
    require(equals != std::string_view::npos, "'{}' is no option=value", printable(part));
    const AttrDef& option = require_option(*spec.model, trim(part.substr(0, equals)));
    require(given.insert(option.name).second, "option '{}' is given twice", option.name);
    spec.options.find(option.name)->second = parse_option(option, trim(part.substr(equals + 1)));
  }
  return spec;
}

std::string to_string(const ModelSpec& spec) {
  std::string text;
  for (const AttrDef& option : spec.model->options) {
    const Attr& value = spec.options.find(option.name)->second;
    if (value == option.default_value) continue;
    const auto* plain = std::get_if<std::string>(&value);
    text += fmt::format("{}{}={}", text.empty() ? "" : ",", option.name,
                        plain != nullptr ? *plain : to_string(value));
  }
  return text.empty() ? std::string(spec.model->name)
                      : fmt::format("{}({})", spec.model->name, text);
}

Graph trace(const ModelSpec& spec, int64_t rows, const Shape& row_shape) {
  const ErrorContext context([&] {
    return fmt::format("building model {} for rows of {}", to_string(spec), to_string(row_shape));
  });
  Graph graph;
  Shape shape{rows};
  for (const int64_t extent : row_shape) shape.push_back(extent);
  const Value x{&graph, graph.add_input("x", DType::kF32, shape)};
  const Value y = spec.model->build(Scope(graph), x, spec.options);
  graph.outputs.push_back(y.id);
  verify(graph);
  return graph;
}

}  // namespace tessera
