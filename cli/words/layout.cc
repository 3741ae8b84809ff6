#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "cli/common_options.h"
#include "cli/draw_slices.h"
#include "cli/output.h"
#include "cli/strategy_text.h"
#include "cli/word.h"
#include "tessera/base/text.h"
#include "tessera/checkpoint/checkpoint.h"
#include "tessera/checkpoint/strategy.h"

namespace tessera::cli {
namespace {

constexpr int kMostDrawnRanks = 1 << 16;

struct Request {
  std::string path;
  std::vector<std::string> names;  // to draw
  std::vector<std::string> shapes;
  std::string checkpoint;
  std::string ranks;
  std::string output;
  bool all = false;
  bool operators = false;
  bool force = false;
  CommonOptions common;
};

std::vector<NamedShape> given_shapes(const Request& request) {
  std::vector<NamedShape> shapes;
  for (const std::string& text : request.shapes) {
    const size_t equals = text.rfind('=');
    require_usage(equals != std::string::npos && equals > 0,
                  "--shape wants NAME=[EXTENTS], for example 'fc.weight=[48,24]'; found '{}'",
                  printable(text));
    std::string extents = text.substr(equals + 1);
    if (!extents.starts_with('[')) extents = "[" + extents + "]";
    shapes.push_back({text.substr(0, equals), read_usage([&] { return parse_shape(extents); })});
  }
  if (request.checkpoint.empty()) return shapes;
  for (const Record& record : open_catalog(request.checkpoint).records)
    if (record.kind == RecordKind::kTensor) shapes.push_back({record.name, record.shape});
  return shapes;
}

/// "0-3,8" as numbers.
std::vector<bool> chosen_ranks(const std::string& text, int count) {
  std::vector<bool> chosen(static_cast<size_t>(count), text.empty());
  if (text.empty()) return chosen;
  for (const std::string_view part : split(text, ',')) {
    const size_t dash = part.find('-');
    const std::optional<int64_t> first = parse_int(part.substr(0, dash));
    const std::optional<int64_t> last =
        dash == std::string_view::npos ? first : parse_int(part.substr(dash + 1));
    require_usage(first && last && *first >= 0 && *first <= *last && *last < count,
                  "--ranks wants ranks from 0 to {}, for example '0-3,8'; found '{}'", count - 1,
                  printable(part));
    for (int64_t rank = *first; rank <= *last; ++rank) chosen[static_cast<size_t>(rank)] = true;
  }
  return chosen;
}

/// A tensor to be drawn in one stage.
struct Drawn {
  std::string name;
  const ParameterLayout* parameter = nullptr;
  Shape shape;
  bool knows_shape = false;
  std::vector<HeldPart> parts;
};

/// A shape with one element per part, where none is known.
Shape shape_of_parts(const ParameterLayout& parameter) {
  const Layout full = full_layout(parameter);
  Shape shape;
  for (size_t d = 0; d < full.dims.size(); ++d) shape.push_back(part_count(full, d));
  if (!parameter.split_rows.empty() && !shape.empty()) {
    shape[0] = 0;
    size_t beside = 1;  // parts with the same rows
    for (size_t d = 1; d < full.dims.size(); ++d)
      beside *= static_cast<size_t>(part_count(parameter.layout, d));
    for (size_t i = 0; i < parameter.split_rows.size(); i += beside)
      shape[0] += parameter.split_rows[i];
  }
  return shape;
}

Drawn drawn(const Strategy& strategy, const ParameterLayout& parameter, const std::string& name,
            std::span<const NamedShape> shapes, const std::vector<bool>& chosen) {
  Drawn result{name, &parameter, {}, false, {}};
  const auto given = std::find_if(shapes.begin(), shapes.end(),
                                  [&](const NamedShape& one) { return one.name == name; });
  result.knows_shape = given != shapes.end() || parameter.shape.has_value();
  if (!result.knows_shape)
    require(!parameter.any_ndim, "'{}' has any number of dims; --shape '{}=[…]' says which",
            printable(name), printable(name));
  result.shape = given != shapes.end() ? given->shape
                 : parameter.shape     ? *parameter.shape
                                       : shape_of_parts(parameter);
  const int first = parameter.stage * strategy.ranks_per_stage;
  for (int place = 0; place < strategy.ranks_per_stage; ++place)
    if (chosen[static_cast<size_t>(first + place)])
      result.parts.push_back({first + place, slices_of(parameter, result.shape, place)[0]});
  return result;
}

/// What the names and patterns on the command line choose.
std::vector<Drawn> all_drawn(const Request& request, const Strategy& strategy,
                             std::span<const NamedShape> shapes) {
  const std::vector<bool> chosen = chosen_ranks(request.ranks, strategy.rank_count());
  if (request.ranks.empty())
    require_usage(strategy.rank_count() <= kMostDrawnRanks,
                  "the strategy has {} ranks; --ranks chooses those to draw",
                  strategy.rank_count());
  std::vector<Drawn> result;
  std::vector<std::string> known;
  for (const ParameterLayout& one : strategy.parameters) known.push_back(one.name);
  for (const std::string& wanted : request.names) {
    const size_t before = result.size();
    for (const ParameterLayout& one : strategy.parameters)
      if (!one.is_pattern && one.name != wanted && matches(wanted, one.name))
        result.push_back(drawn(strategy, one, one.name, shapes, chosen));
    for (int stage = 0; stage < strategy.stage_count; ++stage)
      if (const ParameterLayout* one = strategy.find(wanted, stage))
        result.push_back(drawn(strategy, *one, wanted, shapes, chosen));
    if (result.size() == before)
      fail(ErrorCode::kNotFound, "the strategy names no parameter '{}'{}", printable(wanted),
           suggest(wanted, known));
  }
  return result;
}

void print_drawn(const Strategy& strategy, const Drawn& one) {
  fmt::print("{}  {}{}{}\n", printable(one.name),
             one.knows_shape ? to_string(one.shape) + "  " : "", cut_text(*one.parameter),
             strategy.stage_count > 1 ? fmt::format("  stage {}", one.parameter->stage) : "");
  for (const std::string& line : draw_slices(one.parts)) fmt::print("  {}\n", line);
  if (!one.knows_shape)
    fmt::print("  (the shape is not known: parts are counted, --shape '{}=[…]' gives extents)\n",
               printable(one.name));
}

void print_drawn_json(const std::vector<Drawn>& all) {
  Json out;
  out.open('[');
  for (const Drawn& one : all) {
    out.open('{').field("name", one.name).field("stage", int64_t{one.parameter->stage});
    out.field("layout", cut_text(*one.parameter)).key("shape");
    one.knows_shape ? out.raw(to_string(one.shape)) : out.null();
    out.key("ranks").open('[');
    for (const HeldPart& part : one.parts) {
      out.open('{').field("rank", int64_t{part.rank}).key("begin").raw(to_string(part.box.begin));
      out.key("size").raw(to_string(part.box.size)).close();
    }
    out.close().close();
  }
  fmt::print("{}\n", out.close().text());
}

void write_output(const Request& request, const Strategy& strategy) {
  require_new_file(request.output, request.force);
  write_strategy(strategy, request.output);
  if (!request.common.quiet && !request.common.json)
    fmt::print("{}: {}\n", printable(request.output), describe(strategy));
}

void layout(const Request& request) {
  require_usage(request.names.empty() || request.output.empty(),
                "names are drawn and -o writes all of the strategy; give one of them");
  require_usage(!request.names.empty() || request.ranks.empty(),
                "--ranks chooses what is drawn; name a parameter");
  Strategy strategy = read_strategy(request.path);
  const std::vector<NamedShape> shapes = given_shapes(request);
  if (!request.output.empty()) {
    if (!shapes.empty()) strategy = with_shapes(strategy, shapes);
    return write_output(request, strategy);
  }
  if (request.names.empty()) {
    if (!shapes.empty()) strategy = with_shapes(strategy, shapes);
    if (request.common.json) return fmt::print("{}\n", strategy_json(strategy));
    return fmt::print("{}", listing(strategy, request.all, request.operators));
  }
  const std::vector<Drawn> all = all_drawn(request, strategy, shapes);
  if (request.common.json) return print_drawn_json(all);
  for (size_t i = 0; i < all.size(); ++i) {
    if (i > 0) fmt::print("\n");
    print_drawn(strategy, all[i]);
  }
}

}  // namespace
}  // namespace tessera::cli

TESSERA_WORD(layout) {
  using namespace tessera::cli;
  return {
      .doc = "print a strategy file in our notation; draw which rank holds what; convert it",
      .examples = {"tessera layout train_strategy.ckpt",
                   "tessera layout train_strategy.ckpt fc1.weight --shape 'fc1.weight=[48,24]'",
                   "tessera layout layouts.txt 'layers.0.*' --checkpoint model.ckpt --ranks 0-7",
                   "tessera layout train_strategy.ckpt -o layouts.txt"},
      .declare =
          [](Arguments& arguments) {
            const auto request = std::make_shared<Request>();
            arguments.positional("strategy", request->path,
                                 "MindSpore's strategy (.ckpt or .json), or layouts.txt");
            arguments.positionals("names", request->names, "parameters to draw, names or patterns",
                                  false);
            arguments.options("--shape", request->shapes, "NAME=[EXTENTS] of a tensor; repeatable");
            arguments.option("--checkpoint", request->checkpoint,
                             "whole checkpoint whose names and shapes fill in the rest");
            arguments.option("--ranks", request->ranks, "ranks to draw, for example '0-3,8'");
            arguments.option("-o,--output", request->output,
                             "write it as OUT.txt, OUT.json or OUT.ckpt instead");
            arguments.flag("--force", request->force, "replace the file of -o");
            arguments.flag("--all", request->all, "a line for every parameter, in file order");
            arguments.flag("--operators", request->operators,
                           "print the operators' strategies too");
            request->common.declare(arguments);
            return [request] { layout(*request); };
          },
  };
}
