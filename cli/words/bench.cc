#include <fmt/format.h>

#include <chrono>
#include <random>

#include "cli/common_options.h"
#include "cli/model_options.h"
#include "cli/output.h"
#include "cli/word.h"
#include "tessera/base/parallel.h"
#include "tessera/base/text.h"
#include "tessera/ops/peak.h"
#include "tessera/runtime/measure_runs.h"

namespace tessera::cli {
namespace {

struct Request {
  ModelOptions model;
  CheckpointOptions checkpoint;
  std::string weights;
  std::string row;
  int64_t batch = 1;
  std::string seconds = "2";
  int64_t streams = 1;
  bool per_node = false;
  CommonOptions common;
};

using Clock = std::chrono::steady_clock;

double since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// Rows of normally distributed elements.
Tensor random_rows(const Shape& row, int64_t rows) {
  Shape shape = row;
  shape.insert(0, rows);
  Tensor x(DType::kF32, shape);
  std::mt19937 random(7);
  std::normal_distribution<float> normal;
  for (float& element : x.mutable_data<float>()) element = normal(random);
  return x;
}

struct Figures {
  double compile_seconds = 0;  // the program, weights loaded already
  double first_seconds = 0;    // its first run
  RunTimes runs;
  double peak = 0;  // floating-point operations per second
  double multiply_adds = 0;
  std::vector<StepTime> steps;  // medians

  /// One run after the other: what the median run gives. Several streams: what all gave together.
  double runs_per_second(int64_t streams) const {
    return streams == 1 ? 1 / runs.median_seconds : runs.runs_per_second();
  }
};

/// Every step's median over runs of `seconds` together.
std::vector<StepTime> step_medians(Program& program, const Tensor& x, double seconds) {
  const std::span<const Tensor> inputs(&x, 1);
  std::vector<StepTime> steps;
  std::vector<std::vector<double>> times;
  const Clock::time_point start = Clock::now();
  do {
    steps = program.time_steps(inputs);
    times.resize(steps.size());
    for (size_t i = 0; i < steps.size(); ++i) times[i].push_back(steps[i].seconds);
  } while (since(start) < seconds);
  for (size_t i = 0; i < steps.size(); ++i) steps[i].seconds = median(times[i]);
  return steps;
}

Figures measure(const Request& request, Model& model, double seconds) {
  Figures figures;
  const Tensor x = random_rows(model.row_shape(), request.batch);
  const std::span<const Tensor> inputs(&x, 1);
  Clock::time_point start = Clock::now();
  Program& program = model.program(request.batch);
  figures.compile_seconds = since(start);
  start = Clock::now();
  program.run(inputs);
  figures.first_seconds = since(start);
  const int callers = static_cast<int>(request.streams);
  if (callers > 1) measure_runs(program, inputs, callers, 0);  // each stream's first
  figures.runs = measure_runs(program, inputs, callers, seconds);
  figures.multiply_adds = multiply_adds(model.graph(request.batch));
  figures.peak = measure_peak(thread_count(request.common.thread_count()));
  if (request.per_node) figures.steps = step_medians(program, x, seconds);
  return figures;
}

double rate(double multiply_adds, double seconds) {
  return seconds > 0 ? 2 * multiply_adds / seconds : 0;
}

/// Floating-point operations per second of all runs.
double speed_of(const Request& request, const Figures& figures) {
  return 2 * figures.multiply_adds * figures.runs_per_second(request.streams);
}

double rows_per_second(const Request& request, const Figures& figures) {
  return static_cast<double>(request.batch) * figures.runs_per_second(request.streams);
}

std::string streams_text(const Request& request) {
  return request.streams == 1 ? "" : fmt::format(", {} streams", request.streams);
}

std::string percent(double part, double whole) {
  return whole > 0 ? fmt::format("{:.1f}", 100 * part / whole) : "-";
}

void print_steps(const Figures& figures) {
  double sum = 0;
  for (const StepTime& step : figures.steps) sum += step.seconds;
  Table table({"value", "op", "kernel", "ms", "% of time", "GFLOP/s", "% of peak"});
  for (const StepTime& step : figures.steps) {
    const double speed = rate(step.multiply_adds, step.seconds);
    table.add({step.name, step.op, step.kernel, fmt::format("{:.4f}", 1e3 * step.seconds),
               percent(step.seconds, sum), speed > 0 ? fmt::format("{:.1f}", speed / 1e9) : "",
               speed > 0 ? percent(speed, figures.peak) : ""});
  }
  const double speed = rate(figures.multiply_adds, sum);
  table.add({"total", "", "", fmt::format("{:.4f}", 1e3 * sum), "100.0",
             fmt::format("{:.1f}", speed / 1e9), percent(speed, figures.peak)});
  fmt::print("{}\n", table.to_string());
}

void print_text(const Request& request, const Model& model, const Figures& figures) {
  if (request.per_node) print_steps(figures);
  const double speed = speed_of(request, figures);
  fmt::print(
      "{} on batches of {}, {} threads{}{}: {:.3f} ms (median of {}; best {:.3f}), {:.1f} rows/s\n"
      "{:.1f} GFLOP/s, {} % of the machine's peak of {:.1f} as measured in this run (Winograd's "
      "convolutions do fewer operations than are counted)\n"
      "compiled in {:.1f} ms, first run {:.1f} ms\n",
      to_string(model.spec()), request.batch, thread_count(request.common.thread_count()),
      streams_text(request), request.model.precision == "f32" ? "" : ", " + request.model.precision,
      1e3 * figures.runs.median_seconds, figures.runs.runs, 1e3 * figures.runs.best_seconds,
      rows_per_second(request, figures), speed / 1e9, percent(speed, figures.peak),
      figures.peak / 1e9, 1e3 * figures.compile_seconds, 1e3 * figures.first_seconds);
}

void print_json(const Request& request, const Model& model, const Figures& figures) {
  Json out;
  out.open('{').field("model", to_string(model.spec())).field("rows", request.batch);
  out.field("threads", int64_t{thread_count(request.common.thread_count())});
  out.field("precision", request.model.precision);
  out.field("streams", request.streams);
  out.field("rows_per_s", rows_per_second(request, figures));
  out.field("median_s", figures.runs.median_seconds).field("best_s", figures.runs.best_seconds);
  out.field("runs", figures.runs.runs);
  out.field("compile_s", figures.compile_seconds).field("first_run_s", figures.first_seconds);
  out.field("multiply_adds", figures.multiply_adds);
  out.field("flops", speed_of(request, figures));
  out.field("peak_flops", figures.peak);
  if (request.per_node) {
    out.key("nodes").open('[');
    for (const StepTime& step : figures.steps) {
      out.open('{').field("value", step.name).field("op", step.op).field("kernel", step.kernel);
      out.field("s", step.seconds).field("multiply_adds", step.multiply_adds);
      out.field("flops", rate(step.multiply_adds, step.seconds)).close();
    }
    out.close();
  }
  fmt::print("{}\n", out.close().text());
}

void bench(const Request& request) {
  require_usage(request.batch > 0, "--batch is {}; wanted at least 1", request.batch);
  const std::optional<double> seconds = parse_double(request.seconds);
  require_usage(seconds.has_value() && *seconds >= 0 && *seconds < 1e6,
                "--seconds is '{}'; wanted a number, 0 for one run", printable(request.seconds));
  Shape row;
  if (!request.row.empty()) row = read_usage([&] { return parse_shape(request.row); });
  RunOptions run = request.model.run_options(request.common.thread_count());
  const int threads = thread_count(run.threads);
  require_usage(request.streams >= 1 && request.streams <= threads,
                "--streams is {}; wanted 1 to {}, the number of threads: each stream needs one",
                request.streams, threads);
  run.streams = static_cast<int>(request.streams);
  Model model = request.model.open({request.weights, ""}, request.checkpoint, row, run);
  const Figures figures = measure(request, model, *seconds);
  request.common.json ? print_json(request, model, figures) : print_text(request, model, figures);
}

}  // namespace
}  // namespace tessera::cli

TESSERA_WORD(bench) {
  using namespace tessera::cli;
  return {
      .doc = "measure how fast a model predicts, as a whole and node by node",
      .examples = {"tessera bench lenet5 --batch 32 --seconds 0.2",
                   "tessera bench lenet5 --per-node --threads 1 --seconds 0.1",
                   "tessera bench lenet5 --threads 2 --streams 2 --seconds 0.2",
                   "tessera bench resnet50 --weights resnet50.ckpt --batch 32 --per-node"},
      .declare =
          [](Arguments& arguments) {
            const auto request = std::make_shared<Request>();
            request->model.declare(arguments);
            arguments.option("--weights", request->weights, "checkpoint; default: new weights");
            arguments.option("--row", request->row, "shape of one row: [3,224,224]");
            arguments.option("--batch", request->batch, "rows that run together");
            arguments.option("--seconds", request->seconds,
                             "how long to measure; as long again for --per-node");
            arguments.option("--streams", request->streams,
                             "runs that go on side by side, each with its share of the threads");
            arguments.flag("--per-node", request->per_node,
                           "time, share, speed and part of the peak of every node");
            request->checkpoint.declare(arguments);
            request->common.declare(arguments);
            return [request] { bench(*request); };
          },
  };
}
