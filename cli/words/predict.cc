#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "cli/checkpoint_options.h"
#include "cli/common_options.h"
#include "cli/model_options.h"
#include "cli/output.h"
#include "cli/rows.h"
#include "cli/word.h"
#include "cli/words/internal/against_f32.h"
#include "cli/words/internal/predict_array.h"
#include "tessera/base/text.h"
#include "tessera/data/image_file.h"
#include "tessera/data/npy_file.h"

namespace tessera::cli {
namespace {

struct Request {
  ModelOptions model;
  CheckpointOptions checkpoint;
  RowOptions rows;
  std::vector<std::string> images;
  RankOptions ranks;
  ArrayOptions array;
  std::string weights;
  int64_t top = 3;
  CommonOptions common;
};

struct Guess {
  int64_t index = 0;  // of the class
  float output = 0;
  double probability = 0;  // softmax over all outputs
};

/// The largest `count` outputs, largest first; of equal ones the lower class first.
std::vector<Guess> best_guesses(std::span<const float> outputs, int64_t count) {
  std::vector<int64_t> order(outputs.size());
  std::iota(order.begin(), order.end(), 0);
  const auto at = [&](int64_t i) { return outputs[static_cast<size_t>(i)]; };
  const size_t kept = std::min(outputs.size(), static_cast<size_t>(count));
  const auto end = order.begin() + static_cast<std::ptrdiff_t>(kept);
  std::partial_sort(order.begin(), end, order.end(), [&](int64_t a, int64_t b) {
    return at(a) > at(b) || (at(a) == at(b) && a < b);
  });
  const float top = *std::max_element(outputs.begin(), outputs.end());
  double sum = 0;
  for (const float value : outputs) sum += std::exp(static_cast<double>(value - top));
  std::vector<Guess> guesses;
  for (auto i = order.begin(); i != end; ++i)
    guesses.push_back({*i, at(*i), std::exp(static_cast<double>(at(*i) - top)) / sum});
  return guesses;
}

struct Prediction {
  std::string row;
  int32_t label = kNoLabel;
  std::vector<Guess> guesses;
  std::string error = {};                 // why there are none
  std::optional<double> difference = {};  // of its batch's outputs from f32's
};

using Names = std::vector<std::string>;  // of the classes; may be empty

/// The class's name where it has one.
std::optional<std::string> name_of(const Names& names, int64_t index) {
  if (index < 0 || index >= std::ssize(names)) return std::nullopt;
  return printable(names[static_cast<size_t>(index)]);
}

void append_json(Json& out, const Prediction& prediction, const Names& names) {
  out.open('{').field("row", prediction.row).key("label");
  prediction.label < 0 ? out.null() : out.value(static_cast<int64_t>(prediction.label));
  if (!prediction.error.empty()) {
    out.field("error", prediction.error).close();
    return;
  }
  out.key("top").open('[');
  for (const Guess& guess : prediction.guesses)
    out.open('{')
        .field("class", guess.index)
        .field("name", name_of(names, guess.index).value_or(""))
        .field("probability", guess.probability)
        .field("output", static_cast<double>(guess.output))
        .close();
  out.close();
  if (prediction.difference) out.field("largest_difference_from_f32", *prediction.difference);
  out.close();
}

std::vector<std::string> lines_of(const Prediction& prediction, const Names& names) {
  std::vector<std::string> lines{printable(prediction.row)};
  if (!prediction.error.empty()) {
    lines.push_back("  left out: " + prediction.error);
    return lines;
  }
  if (prediction.label != kNoLabel) {
    const auto name = name_of(names, prediction.label);
    lines.back() += name ? fmt::format(", labelled {} ({})", prediction.label, *name)
                         : fmt::format(", labelled {}", prediction.label);
  }
  for (const Guess& guess : prediction.guesses)
    lines.push_back(fmt::format("  {:>4}  {:6.2f} %  {}", guess.index, 100 * guess.probability,
                                name_of(names, guess.index).value_or("")));
  for (std::string& line : lines) line.erase(line.find_last_not_of(' ') + 1);
  return lines;
}

/// The picture to the left, the lines to its right.
void print_beside(const std::vector<std::string>& picture, const std::vector<std::string>& lines) {
  for (size_t i = 0; i < std::max(picture.size(), lines.size()); ++i) {
    if (i < picture.size()) fmt::print("{}  ", picture[i]);
    fmt::print("{}\n", i < lines.size() ? lines[i] : "");
  }
  fmt::print("\n");
}

/// Whether the row, before any transform, is a grey or colour image that can be drawn.
bool is_drawable(const Tensor& row) {
  return row.dtype() == DType::kU8 && row.ndim() >= 2 && row.ndim() <= 3 && row.size() > 0;
}

void print_text(const std::vector<std::string>& lines, const RowSource& source, int64_t index) {
  if (stdout_is_terminal() && index >= 0) {
    const Tensor row = source.row(index).data;
    if (is_drawable(row)) return print_beside(draw(row), lines);
  }
  for (const std::string& line : lines) fmt::print("{}\n", line);
}

std::shared_ptr<const RowSource> open_source(const Request& request) {
  const RowsOptions options = request.rows.rows_options();
  if (request.images.empty()) return open_rows(request.rows.data, options);
  const std::vector<std::filesystem::path> paths(request.images.begin(), request.images.end());
  return open_images(paths, options);
}

/// What a batch's rows become: predictions, or why there are none.
std::vector<Prediction> predictions_of(const Batch& batch, const Tensor& outputs,
                                       const Pipeline& rows, int64_t top) {
  const auto values = outputs.data<float>();
  const size_t width = values.size() / static_cast<size_t>(batch.rows);
  std::vector<Prediction> predictions;
  for (int64_t i = 0; i < batch.rows; ++i) {
    const auto at = static_cast<size_t>(i);
    const int64_t index = rows.source_index(batch.first_row + i);
    Prediction prediction{rows.source().row_name(index), batch.labels.data<int32_t>()[at], {}};
    for (const BadRow& bad : batch.bad)
      if (bad.index == index) prediction.error = bad.reason;
    if (prediction.error.empty())
      prediction.guesses = best_guesses(values.subspan(at * width, width), top);
    predictions.push_back(std::move(prediction));
  }
  return predictions;
}

/// Weights that are read once are read where the file has them.
Model open_model(const Request& request, const Shape& row, const RunOptions& run) {
  CheckpointOptions checkpoint = request.checkpoint;
  checkpoint.map = checkpoint.map || run.runs_once;
  checkpoint.unaligned = run.runs_once;
  return request.model.open({request.weights, request.ranks.from}, checkpoint, row, run);
}

/// Labels of another model are no labels; fewer may be, where a class stands for the background.
void check_labels(const Request& request, const Names& names, const Tensor& outputs) {
  const std::string& file = request.rows.labels;
  const int64_t classes = outputs.size() / outputs.shape()[0];
  if (file.empty() || std::ssize(names) == classes) return;
  require(std::ssize(names) < classes, "the labels {} name {} classes, the model has {}", file,
          names.size(), classes);
  fmt::print(stderr, "the labels {} name {} of the {} classes\n", file, names.size(), classes);
}

void predict_rows_on(const Request& request, Communicator* world) {
  const bool tells = world == nullptr || world->rank() == 0;
  const ModelSpec spec = request.model.spec();
  RunOptions run = request.model.run_options(request.common.thread_count());
  const std::string_view kind =
      request.images.empty() ? source_name(request.rows.data) : std::string_view("image");
  const auto source = open_source(request);
  Pipeline rows = request.rows.open(spec, source, kind, run.threads);
  const Shape row = rows.row_type().shape;
  run = request.ranks.run_options(run, world, spec, request.rows.batch, row);
  if (world != nullptr) rows = rows.threads(run.threads);
  run.runs_once = rows.row_count() <= request.rows.batch;
  Model model = open_model(request, row, run);
  AgainstF32 against(model, run);
  const Names names = request.rows.class_names(*source);
  int64_t left_out = 0;
  Json out;
  out.open('[');
  while (const std::optional<Batch> batch = rows.next()) {
    const Tensor outputs = model.predict(batch->data);
    std::optional<double> difference;
    if (against.is_asked()) difference = against.add(batch->data, outputs);
    if (!tells) continue;
    if (batch->first_row == 0) check_labels(request, names, outputs);
    int64_t index = batch->first_row;
    for (Prediction& prediction : predictions_of(*batch, outputs, rows, request.top)) {
      prediction.difference = difference;
      const bool bad = !prediction.error.empty();
      left_out += bad ? 1 : 0;
      if (request.common.json)
        append_json(out, prediction, names);
      else
        print_text(lines_of(prediction, names), *source, bad ? -1 : index);
      ++index;
    }
  }
  if (!tells) return;
  if (request.common.json)
    fmt::print("{}\n", out.close().text());
  else if (against.is_asked())
    fmt::print("{}: {}\n", request.model.precision, against.to_string());
  if (left_out > 0) fmt::print(stderr, "{} of {} rows left out\n", left_out, rows.row_count());
  for (const std::string& note : source->notes()) fmt::print(stderr, "{}\n", note);
}

void print_array(const Request& request, const Model& model, const ArrayRun& run,
                 const AgainstF32& against) {
  const Latency& time = run.latency;
  if (request.common.json) {
    Json out;
    out.open('{').field("model", to_string(model.spec())).key("shape").open('[');
    for (const int64_t extent : run.outputs.shape()) out.value(extent);
    out.close().field("ranks", int64_t{model.rank_count()});
    out.field("first_ms", time.first).field("p50_ms", time.p50).field("p99_ms", time.p99);
    out.field("load_seconds", model.loaded().seconds);
    if (against.is_asked()) against.append(out);
    fmt::print("{}\n", out.close().text());
    return;
  }
  fmt::print("{}\n", to_string(run.outputs));
  fmt::print("first prediction {:.2f} ms", time.first);
  if (request.array.repeat > 1)
    fmt::print(", then p50 {:.3f} ms, p99 {:.3f} ms over {}", time.p50, time.p99,
               request.array.repeat - 1);
  fmt::print("\n");
  if (against.is_asked()) fmt::print("{}: {}\n", request.model.precision, against.to_string());
}

void predict_array_on(const Request& request, Communicator* world) {
  const ModelSpec spec = request.model.spec();
  const Tensor input = read_npy(request.array.input);
  require(input.ndim() > 0, "{} is a scalar; wanted a batch of rows", request.array.input);
  const Shape row(input.shape().begin() + 1, input.shape().end());
  RunOptions run = request.model.run_options(request.common.thread_count());
  run = request.ranks.run_options(run, world, spec, input.shape()[0], row);
  run.place.gather_outputs = !request.array.per_rank;
  run.runs_once = request.array.repeat == 1;
  Model model = open_model(request, row, run);
  const ArrayRun result = predict_array(request.array, model, input);
  AgainstF32 against(model, run);
  if (against.is_asked()) against.add(input, result.outputs);
  write_outputs(request.array, result.outputs, world == nullptr ? 0 : world->rank());
  if (world == nullptr || world->rank() == 0) print_array(request, model, result, against);
}

void predict(const Request& request) {
  require_usage(request.top > 0, "--top is {}; wanted at least 1", request.top);
  require_usage(request.array.repeat > 0, "--repeat is {}; wanted at least 1",
                request.array.repeat);
  request.rows.check();
  request.model.spec();
  request.ranks.run([&](Communicator* world) {
    request.array.input.empty() ? predict_rows_on(request, world)
                                : predict_array_on(request, world);
  });
}

/// Throws UsageError unless the command line names one thing to predict.
void check_what(const Request& request) {
  const int given = (request.images.empty() ? 0 : 1) + (request.rows.data.empty() ? 0 : 1) +
                    (request.array.input.empty() ? 0 : 1);
  if (given != 1)
    throw UsageError("give one of --data SOURCE:PLACE, picture files, --input FILE.npy");
  const bool array = !request.array.input.empty();
  if (!array &&
      (!request.array.output.empty() || request.array.per_rank || request.array.repeat != 1))
    throw UsageError("--output, --per-rank and --repeat go with --input FILE.npy");
}

}  // namespace
}  // namespace tessera::cli

TESSERA_WORD(predict) {
  using namespace tessera::cli;
  return {
      .doc = "the top classes of rows or of picture files",
      .examples = {"tessera predict lenet5 --weights lenet.ckpt digit.png --top 3",
                   "tessera predict lenet5 --weights lenet.ckpt --data mnist:DIR --limit 5",
                   "tessera predict lenet5 --weights lenet.ckpt a.png b.pgm --json",
                   "tessera predict mlp --weights DIR --from strategy.ckpt --mesh dp=2,tp=2 \\\n"
                   "      --layouts rules.txt --input x.npy --output y.npy"},
      .declare =
          [](Arguments& arguments) {
            const auto request = std::make_shared<Request>();
            request->model.declare(arguments);
            arguments.positionals("image", request->images,
                                  "pictures: JPEG, PNG, BMP, PGM, folders of them; IDX, .npy",
                                  false);
            arguments.option("--weights", request->weights, "checkpoint file or folder");
            request->rows.declare(arguments, false);
            request->array.declare(arguments);
            request->ranks.declare(arguments);
            arguments.group("Result");
            arguments.option("--top", request->top, "classes to show per row");
            request->checkpoint.declare(arguments);
            request->common.declare(arguments);
            return [request] {
              check_what(*request);
              request->model.resolve(request->weights, true,
                                     request->common.quiet || request->common.json);
              predict(*request);
            };
          },
  };
}
