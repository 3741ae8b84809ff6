#include <fmt/format.h>

#include "cli/checkpoint_options.h"
#include "cli/common_options.h"
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

void explain(const Request& request) {
  require_usage(request.batch > 0, "--batch is {}; wanted at least 1", request.batch);
  request.model.spec();
  Shape row;
  if (!request.row.empty()) row = read_usage([&] { return parse_shape(request.row); });
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
      .doc = "show how a model runs: kernels and why not others, reorders, the memory plan",
      .examples = {"tessera explain lenet5 --batch 32", "tessera explain mlp --graph",
                   "tessera explain lenet5 --kernels reference"},
      .declare =
          [](Arguments& arguments) {
            const auto request = std::make_shared<Request>();
            request->model.declare(arguments);
            arguments.option("--weights", request->weights, "checkpoint; default: no weights");
            arguments.option("--row", request->row, "shape of one row: [1,28,28]");
            arguments.option("--batch", request->batch, "rows that run together");
            arguments.flag("--graph", request->graph,
                           "print the graph before and after the passes");
            request->checkpoint.declare(arguments);
            request->common.declare(arguments);
            return [request] { explain(*request); };
          },
  };
}
