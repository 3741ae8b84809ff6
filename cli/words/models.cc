#include "cli/output.h"
#include "cli/word.h"
#include "tessera/base/text.h"
#include "tessera/zoo/zoo.h"

namespace tessera::cli {
namespace {

/// What a model needs for one row of its own shape.
struct Size {
  Shape row;
  int64_t parameters = 0;
  int64_t elements = 0;    // of all of them
  int64_t statistics = 0;  // of those that training does not change by gradients
  int64_t multiply_adds = 0;
};

bool is_statistic(std::string_view name) {
  return name.ends_with(".moving_mean") || name.ends_with(".moving_variance");
}

Size size_of(const ModelSpec& spec) {
  Size size{.row = spec.model->row_shape(spec.options)};
  const Graph graph = trace(spec, 1, size.row);
  for (const ValueId id : graph.parameters) {
    const int64_t elements = element_count(graph.type(id).global);
    ++size.parameters;
    size.elements += elements;
    if (is_statistic(graph.values[static_cast<size_t>(id)].name)) size.statistics += elements;
  }
  size.multiply_adds = static_cast<int64_t>(multiply_adds(graph));
  return size;
}

std::string hub_text(const ModelDef& model) {
  return join(std::vector<std::string>(model.hub_names.begin(), model.hub_names.end()), ", ");
}

void print_table() {
  Table table({"model", "parameters", "elements", "statistics", "M multiply-adds", "row",
               "hub cards", "what"});
  for (const ModelDef& model : all_models()) {
    const Size size = size_of(parse_model(model.name));
    table.add({std::string(model.name), std::to_string(size.parameters),
               std::to_string(size.elements), std::to_string(size.statistics),
               fmt::format("{:.1f}", static_cast<double>(size.multiply_adds) / 1e6),
               to_string(size.row), hub_text(model), std::string(model.doc)});
  }
  fmt::print(
      "{}\nStatistics are the elements of moving means and variances; multiply-adds are for one "
      "row.\nOptions stand behind the name, for example \"mlp(hidden=[128],bias=false)\"; "
      "'tessera models NAME' shows them.\n",
      table.to_string());
}

void print_json(const std::vector<ModelSpec>& specs) {
  Json out;
  out.open('[');
  for (const ModelSpec& spec : specs) {
    const ModelDef& model = *spec.model;
    const Size size = size_of(spec);
    out.open('{').field("name", model.name).field("model", to_string(spec));
    out.field("parameters", size.parameters).field("elements", size.elements);
    out.field("statistics", size.statistics).field("multiply_adds", size.multiply_adds);
    out.key("row").raw(to_string(size.row)).key("hub_names").open('[');
    for (const std::string_view name : model.hub_names) out.value(name);
    out.close().field("doc", model.doc);
    append_attrs(out, "options", model.options);
    out.key("transforms").open('{');
    for (const DefaultTransforms& one : model.transforms) out.field(one.source, one.transforms);
    out.close().close();
  }
  fmt::print("{}\n", out.close().text());
}

/// Everything about one model.
void print_model(const ModelSpec& spec) {
  const ModelDef& model = *spec.model;
  const Size size = size_of(spec);
  fmt::print("{}\n{}\n", to_string(spec), model.doc);
  fmt::print("{} parameters, {} elements, {} of them statistics\n", size.parameters, size.elements,
             size.statistics);
  fmt::print("{} multiply-adds for a row of {}\n", size.multiply_adds, to_string(size.row));
  if (!model.hub_names.empty()) fmt::print("on MindSpore Hub: {}\n", hub_text(model));
  if (!model.options.empty()) fmt::print("options\n");
  for (const AttrDef& option : model.options)
    fmt::print("  {} = {}  {}\n", option.name, to_string(option.default_value), option.doc);
  if (!model.transforms.empty()) fmt::print("transforms of rows, by data source\n");
  for (const DefaultTransforms& one : model.transforms)
    fmt::print("  {}: {}\n", one.source, one.transforms);
}

}  // namespace
}  // namespace tessera::cli

TESSERA_WORD(models) {
  using namespace tessera::cli;
  return {
      .doc = "list the models, their options, parameters and sizes",
      .examples = {"tessera models", "tessera models \"resnet50(num_classes=1000)\"",
                   "tessera models --json"},
      .declare =
          [](Arguments& arguments) {
            const auto names = std::make_shared<std::vector<std::string>>();
            const auto json = std::make_shared<bool>(false);
            arguments.positionals("model", *names, "only these, in full", false);
            arguments.flag("--json", *json, "print JSON");
            return [names, json] {
              std::vector<tessera::ModelSpec> specs;
              for (const std::string& name : *names)
                specs.push_back(read_usage([&] { return tessera::parse_model(name); }));
              if (*json && specs.empty())
                for (const tessera::ModelDef& model : tessera::all_models())
                  specs.push_back(tessera::parse_model(model.name));
              if (*json) return print_json(specs);
              if (specs.empty()) return print_table();
              for (const tessera::ModelSpec& spec : specs) print_model(spec);
            };
          },
  };
}
