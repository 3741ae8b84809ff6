#include <fmt/format.h>

#include <filesystem>

#include "cli/checkpoint_options.h"
#include "cli/common_options.h"
#include "cli/model_options.h"
#include "cli/output.h"
#include "cli/rank_options.h"
#include "cli/rows.h"
#include "cli/word.h"
#include "cli/words/internal/against_f32.h"
#include "tessera/base/text.h"
#include "tessera/model/report.h"
#include "tessera/ops/registry.h"

namespace tessera::cli {
namespace {

struct Request {
  ModelOptions model;
  CheckpointOptions checkpoint;
  RowOptions rows;
  RankOptions ranks;
  std::string weights;
  std::string metrics = "accuracy";
  std::string loss = "sparse_softmax_cross_entropy";
  std::string page;  // --report
  CommonOptions common;
};

std::string on_ranks(int64_t ranks) {
  return ranks > 1 ? fmt::format(" on {} ranks", ranks) : "";
}

struct Evaluated {
  EvalReport report;
  std::optional<EvalReport> exact;  // in f32, where another precision was asked for
};

double per_second(const EvalReport& report) {
  return static_cast<double>(report.rows) / std::max(report.seconds, 1e-9);
}

void append_metrics(Json& out, const EvalReport& report) {
  out.key("correct");
  report.correct < 0 ? out.null() : out.value(report.correct);
  out.key("metrics").open('{');
  for (const MetricResult& metric : report.metrics) out.key(metric.name).raw(to_json(metric));
  out.close();
}

/// `exact`: the same in f32, where another precision was asked for.
void append_precision(Json& out, const Request& request, const EvalReport& report,
                      const std::optional<EvalReport>& exact) {
  out.field("precision", request.model.precision);
  if (!exact) return;
  out.key("f32").open('{');
  append_metrics(out, *exact);
  out.close().key("accuracy_difference_points");
  const std::optional<double> points = accuracy_points(report, *exact);
  points ? out.value(*points) : out.null();
}

void print_json(const Request& request, const Model& model, const Evaluated& evaluated,
                const Pipeline& rows) {
  const EvalReport& report = evaluated.report;
  Json out;
  out.open('{').field("model", to_string(model.spec())).field("weights", request.weights);
  out.field("data", request.rows.data).field("transforms", to_string(rows.transforms()));
  out.field("rows", report.rows);
  append_metrics(out, report);
  append_precision(out, request, report, evaluated.exact);
  out.field("ranks", int64_t{model.rank_count()})
      .field("seconds", report.seconds)
      .field("rows_per_second", per_second(report));
  out.field("load_seconds", model.loaded().seconds);
  const auto list = [&](std::string_view name, const std::vector<std::string>& items) {
    out.key(name).open('[');
    for (const std::string& item : items) out.value(item);
    out.close();
  };
  list("not_used", model.loaded().not_used);
  list("not_loaded", model.loaded().not_loaded);
  list("notes", model.loaded().notes);
  out.field("unchecked_crc", model.loaded().unchecked_crc);
  out.field("wait_seconds", report.wait_seconds).key("left_out").open('[');
  for (const BadRow& row : report.bad)
    out.open('{')
        .field("row", rows.source().row_name(row.index))
        .field("reason", row.reason)
        .close();
  out.close();
  fmt::print("{}\n", out.close().text());
}

void print_list(std::string_view what, const std::vector<std::string>& items) {
  if (items.empty()) return;
  std::string text;
  for (const std::string& item : items) text += (text.empty() ? "" : ", ") + printable(item);
  fmt::print("{}: {}\n", what, text);
}

void print_left_out(const EvalReport& report, const RowSource& source) {
  for (const std::string& note : source.notes()) fmt::print("{}\n", note);
  if (report.bad.empty()) return;
  fmt::print("{} rows left out because they cannot be read:\n", report.bad.size());
  for (const BadRow& row : report.bad)
    fmt::print("  {}: {}\n", printable(source.row_name(row.index)), row.reason);
}

void print_text(const Request& request, const Model& model, const Evaluated& evaluated,
                const Pipeline& rows) {
  const EvalReport& report = evaluated.report;
  fmt::print("{} with {} on {}: {}\n", to_string(model.spec()), request.weights, request.rows.data,
             to_string(rows.transforms()));
  for (const MetricResult& metric : report.metrics) {
    fmt::print("  {}: {}", metric.name, to_string(metric));
    if (report.correct >= 0 && (metric.name == "accuracy" || metric.name == "acc"))
      fmt::print(" ({} of {} rows)", report.correct, report.rows);
    fmt::print("\n");
  }
  if (evaluated.exact)
    fmt::print("  {}\n", accuracy_difference(report, *evaluated.exact, request.model.precision));
  fmt::print("{} rows in {:.3f} s: {:.0f} rows/s{}\n", report.rows, report.seconds,
             per_second(report), on_ranks(model.rank_count()));
  print_list("in the file, not of the network", model.loaded().not_used);
  print_list("not in the file, allowed, and new", model.loaded().not_loaded);
  print_list("allowed", model.loaded().notes);
  if (model.loaded().unchecked_crc)
    fmt::print("the file carries a CRC-32, not checked (--check-crc checks it)\n");
  print_left_out(report, rows.source());
}

void write_page(const Request& request, const Model& model, const EvalReport& eval,
                const EvalRecord& record, const Pipeline& rows) {
  const Report report{.model = to_string(model.spec()),
                      .weights = request.weights,
                      .data = request.rows.data,
                      .transforms = to_string(rows.transforms()),
                      .ranks = model.rank_count(),
                      .load_seconds = model.loaded().seconds,
                      .class_names = request.rows.class_names(rows.source()),
                      .notes = rows.source().notes()};
  write_report(request.page, report_page(report, eval, record, rows.source()));
}

/// What one rank does; rank 0 tells the result.
void eval_on(const Request& request, Communicator* world) {
  const bool tells = world == nullptr || world->rank() == 0;
  const ModelSpec spec = request.model.spec();
  const auto metrics = read_usage([&] { return parse_metrics(request.metrics); });
  RunOptions run = request.model.run_options(request.common.thread_count());
  Pipeline rows = request.rows.open(spec, run.threads);
  require(
      rows.source().has_labels(),
      "{} has no labels to compare with: a folder has one folder of pictures per class; predict "
      "needs no labels",
      request.rows.data);
  const Shape row = rows.row_type().shape;
  run = request.ranks.run_options(run, world, spec, request.rows.batch, row);
  if (world != nullptr) rows = rows.threads(run.threads);
  Model model =
      request.model.open({request.weights, request.ranks.from}, request.checkpoint, row, run);
  Evaluated evaluated;
  EvalRecord record;
  {
    const bool quiet = !tells || request.common.quiet || request.common.json;
    Progress progress("evaluating", rows.row_count(), quiet);
    EvalOptions options{.loss = request.loss,
                        .progress = [&](int64_t done) { progress.update(done); }};
    if (tells && !request.page.empty())
      options.observe = [&](const EvalBatch& rows_of_batch) { record.add(rows_of_batch); };
    evaluated.report = model.eval(rows, metrics, options);
  }
  if (run.precision != Precision::kF32)
    evaluated.exact =
        model.with_precision(Precision::kF32).eval(rows, metrics, {.loss = request.loss});
  if (!tells) return;
  request.common.json ? print_json(request, model, evaluated, rows)
                      : print_text(request, model, evaluated, rows);
  if (!request.page.empty()) write_page(request, model, evaluated.report, record, rows);
}

/// Before an hour of evaluation rather than after it.
void require_folder_of(const std::filesystem::path& file) {
  const std::filesystem::path folder = file.has_parent_path() ? file.parent_path() : ".";
  if (!std::filesystem::is_directory(folder))
    fail(ErrorCode::kNotFound, "there is no folder {} for {}", folder.string(), file.string());
}

void eval(const Request& request) {
  request.rows.check();
  if (!request.page.empty()) require_folder_of(request.page);
  request.model.spec();
  read_usage([&] { return parse_metrics(request.metrics); });
  read_usage([&] { return &require_op(request.loss); });
  request.ranks.run([&](Communicator* world) { eval_on(request, world); });
}

}  // namespace
}  // namespace tessera::cli

TESSERA_WORD(eval) {
  using namespace tessera::cli;
  return {
      .doc = "metrics of a model with a checkpoint over a data set",
      .examples = {"tessera eval lenet5 --weights lenet.ckpt --data mnist:DIR",
                   "tessera eval lenet5 --weights lenet.ckpt --data mnist:DIR/test --batch 256 "
                   "--metrics accuracy,loss,F1 --json",
                   "tessera eval resnet20 --weights r.ckpt --data cifar10:DIR --report page.html",
                   "tessera eval googlenet --weights g.ckpt --data folder:DIR --skip-bad",
                   "tessera eval \"mlp(hidden=[128],bias=false)\" --weights m.safetensors \\\n"
                   "      --data mnist:DIR --rename 'l1.*=dense_relu_sequential.0.*' "
                   "--rename 'l2.*=dense_relu_sequential.2.*'"},
      .declare =
          [](Arguments& arguments) {
            const auto request = std::make_shared<Request>();
            request->model.declare(arguments);
            arguments.option("--weights", request->weights, "checkpoint file or folder");
            request->rows.declare(arguments, true);
            arguments.flag("--drop-remainder", request->rows.drop_remainder,
                           "leave out a last batch that is smaller");
            request->ranks.declare(arguments);
            arguments.group("Result");
            arguments.option("--metrics", request->metrics,
                             "accuracy, loss, precision, recall, F1, topk(K), top_1_accuracy, "
                             "top_5_accuracy, confusion_matrix, mae, mse");
            arguments.option("--loss", request->loss, "op that gives the loss of each row");
            arguments.option("--report", request->page,
                             "the .html file for a page: metrics, confusion, mistakes");
            request->checkpoint.declare(arguments);
            request->common.declare(arguments);
            return [request] {
              request->model.resolve(request->weights, true,
                                     request->common.quiet || request->common.json);
              eval(*request);
            };
          },
  };
}
