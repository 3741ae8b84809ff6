#include "tessera/zoo/zoo.h"

#include "tessera/base/text.h"
#include "tessera/graph/options.h"
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
  const NamedOptions parts = split_options("model", text);
  const ModelDef& model = require_model(parts.name);
  return {&model,
          parse_options(fmt::format("model '{}'", model.name), parts.inside, model.options)};
}

std::string to_string(const ModelSpec& spec) {
  return options_to_string(spec.model->name, spec.options, spec.model->options);
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
