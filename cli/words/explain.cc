#include <fmt/format.h>

#include "cli/checkpoint_options.h"
#include "cli/common_options.h"
#include "cli/explain_placed.h"
#include "cli/model_options.h"
#include "cli/output.h"
#include "cli/word.h"
#include "tessera/base/text.h"

namespace tessera::cli {
namespace {

struct Request {
  ModelOptions model;
  CheckpointOptions checkpoint;
  std::string weights;
  std::string row;
  int64_t batch = 1;
  bool graph = false;
  RankOptions ranks;
  std::string dot;
  std::string svg;
  CommonOptions common;
};

void print_json(const Request& request, Model& model) {
  const Program& program = model.program(request.batch);
  Json out;
  out.open('{').field("model", to_string(model.spec())).field("rows", request.batch);
  out.key("row").raw(to_string(model.row_shape()));
  out.field("activation_bytes", program.activation_bytes());
  out.field("weight_bytes", program.weight_bytes());
  out.field("graph", to_string(model.graph(request.batch)));
  fmt::print("{}\n", out.field("explanation", program.explain()).close().text());
}

bool is_placed(const Request& request) {
  const RankOptions& ranks = request.ranks;
  return ranks.ranks != 0 || ranks.is_placed() || !request.dot.empty() || !request.svg.empty();
}

void explain_ranks(const Request& request, const ModelSpec& spec, const Shape& row) {
  require_usage(request.weights.empty(),
                "--weights goes without --mesh, --layouts, --stages, --ranks and pictures: no rank "
                "loads any");
  require_usage(!request.graph, "--graph shows one process; leave out the options of ranks");
  request.checkpoint.require_unused();
  explain_placed({.spec = spec,
                  .row_shape = row.empty() ? spec.model->row_shape(spec.options) : row,
                  .rows = request.batch,
                  .run = request.model.run_options(request.common.thread_count()),
                  .ranks = &request.ranks,
                  .dot = request.dot,
                  .svg = request.svg,
                  .json = request.common.json});
}

void explain(const Request& request) {
  require_usage(request.batch > 0, "--batch is {}; wanted at least 1", request.batch);
  const ModelSpec spec = request.model.spec();
  Shape row;
  if (!request.row.empty()) row = read_usage([&] { return parse_shape(request.row); });
  if (is_placed(request)) return explain_ranks(request, spec, row);
  Model model = request.model.open({request.weights, ""}, request.checkpoint, row,
                                   request.model.run_options(request.common.thread_count()));
  if (request.common.json) return print_json(request, model);
  if (request.graph) {
    const Graph before = trace(model.spec(), request.batch, model.row_shape());
    fmt::print("# as the model says\n{}\n# after the passes\n{}\n", to_string(before),
               to_string(model.graph(request.batch)));
  }
  fmt::print("{} for batches of {} rows of {}\n{}", to_string(model.spec()), request.batch,
             to_string(model.row_shape()), model.program(request.batch).explain());
}

}  // namespace
}  // namespace tessera::cli

TESSERA_WORD(explain) {
  using namespace tessera::cli;
  return {
      .doc = "show how a model runs: kernels, reorders and memory, or its layouts on many ranks",
      .examples = {"tessera explain lenet5 --batch 32", "tessera explain mlp --graph",
                   "tessera explain lenet5 --kernels reference",
                   "tessera explain mlp --mesh dp=2,tp=4 --layouts rules.txt --svg mlp.svg"},
      .declare =
          [](Arguments& arguments) {
            const auto request = std::make_shared<Request>();
            request->model.declare(arguments);
            arguments.option("--weights", request->weights, "checkpoint; default: no weights");
            arguments.option("--row", request->row, "shape of one row: [1,28,28]");
            arguments.option("--batch", request->batch, "rows that run together");
            arguments.flag("--graph", request->graph,
                           "print the graph before and after the passes");
            request->ranks.declare_placement(arguments);
            arguments.option("--ranks", request->ranks.ranks,
                             "show the model on so many ranks; default: what --mesh says");
            arguments.option("--dot", request->dot, "write the placed graph for Graphviz");
            arguments.option("--svg", request->svg, "write the placed graph as a picture");
            request->checkpoint.declare(arguments);
            request->common.declare(arguments);
            return [request] {
              request->model.resolve(request->weights, false,
                                     request->common.quiet || request->common.json);
              explain(*request);
            };
          },
  };
}
