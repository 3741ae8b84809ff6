#include "cli/output.h"
#include "cli/word.h"
#include "tessera/zoo/zoo.h"

namespace tessera::cli {
namespace {

struct Size {
  int64_t parameters = 0;
  int64_t elements = 0;
};

Size size_of(const Graph& graph) {
  Size size;
  for (const ValueId id : graph.parameters) {
    ++size.parameters;
    size.elements += element_count(graph.type(id).global);
  }
  return size;
}

void print_models(bool json) {
  Json out;
  out.open('[');
  Table table({"model", "parameters", "elements", "row", "what"});
  for (const ModelDef& model : all_models()) {
    const ModelSpec spec = parse_model(model.name);
    const Shape row = model.row_shape(spec.options);
    const Size size = size_of(trace(spec, 1, row));
    table.add({std::string(model.name), std::to_string(size.parameters),
               std::to_string(size.elements), to_string(row), std::string(model.doc)});
    out.open('{').field("name", model.name).field("parameters", size.parameters);
    out.field("elements", size.elements).key("row").raw(to_string(row)).field("doc", model.doc);
    append_attrs(out, "options", model.options);
    out.close();
  }
  out.close();
  if (json) return fmt::print("{}\n", out.text());
  fmt::print(
      "{}\nOptions of a model stand in its name, for example \"mlp(hidden=[128],bias=false)\":\n",
      table.to_string());
  Table options({"model", "option", "default", "what"});
  for (const ModelDef& model : all_models())
    for (const AttrDef& option : model.options)
      options.add({std::string(model.name), std::string(option.name),
                   to_string(option.default_value), std::string(option.doc)});
  fmt::print("{}", options.to_string());
}

}  // namespace
}  // namespace tessera::cli

TESSERA_WORD(models) {
  using namespace tessera::cli;
  return {
      .doc = "list the models, their options, parameters and sizes",
      .examples = {"tessera models", "tessera models --json"},
      .declare =
          [](Arguments& arguments) {
            const auto json = std::make_shared<bool>(false);
            arguments.flag("--json", *json, "print JSON");
            return [json] { print_models(*json); };
          },
  };
}
