#include "tessera/model/model.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "tessera/base/stopwatch.h"
#include "tessera/base/text.h"
#include "tessera/comm/gather_boxes.h"
#include "tessera/model/internal/load_weights.h"
#include "tessera/model/spread.h"
#include "tessera/ops/registry.h"
#include "tessera/passes/lower.h"
#include "tessera/passes/pass.h"

namespace tessera {
namespace {

/// The mean of one loss per row.
double mean_loss(const std::string& op, const Tensor& outputs, const Tensor& labels) {
  const std::vector<Tensor> operands{outputs, labels};
  const OpDef& definition = require_op(op);
  const Tensor loss = evaluate(definition, operands, complete_attrs(definition, {})).front();
  const auto values = loss.data<float>();
  const double sum = std::accumulate(values.begin(), values.end(), 0.0);
  return sum / static_cast<double>(values.size());
}

}  // namespace

Model Model::open(const ModelSource& source, const RunOptions& options) {
  Model model;
  model.spec_ = source.network != nullptr ? spec_of(*source.network) : parse_model(source.model);
  model.options_ = options;
  model.row_shape_ = source.row_shape.empty() ? model.spec_.model->row_shape(model.spec_.options)
                                              : source.row_shape;
  if (options.world != nullptr)
    model.spread_ = std::make_shared<const Spread>(model.spec_, model.row_shape_, options);
  model.weights_ = internal::load_weights(source, trace(model.spec_, 1, model.row_shape_),
                                          model.spread_.get(), model.loaded_);
  return model;
}

Model Model::with_precision(Precision precision) const {
  Model model;
  model.spec_ = spec_;
  model.row_shape_ = row_shape_;
  model.options_ = options_;
  model.options_.precision = precision;
  model.options_.on_first_program = nullptr;
  model.loaded_ = loaded_;
  model.spread_ = spread_;
  model.weights_ = weights_;
  return model;
}

std::vector<NetworkParameter> Model::parameters() const {
  return internal::parameters_of(trace(spec_, 1, row_shape_));
}

const Tensor& Model::weight(std::string_view name) const {
  const auto found = weights_.find(name);
  require(found != weights_.end(), "{} has no parameter '{}'{}", to_string(spec_), name,
          spread_ != nullptr && spread_->layout(name) != nullptr ? " on this rank" : "");
  return found->second;
}

void Model::set_weight(std::string_view name, Tensor values) {
  const Tensor& known = weight(name);
  require(known.shape() == values.shape() && known.dtype() == values.dtype(),
          "parameter '{}' of {} is {}, got {}", name, to_string(spec_), describe(known),
          describe(values));
  weights_.find(name)->second = std::move(values);
  programs_.clear();
}

const Placed* Model::placed(int64_t rows) const {
  return spread_ == nullptr ? nullptr : &spread_->placed(rows);
}

Graph Model::graph(int64_t rows) const {
  if (spread_ != nullptr) return spread_->graph(rows, spread_->world().rank());
  return run_passes(trace(spec_, rows, row_shape_), inference_passes());
}

Program& Model::program(int64_t rows) {
  const std::scoped_lock lock(*compiling_);
  const auto known = programs_.find(rows);
  if (known != programs_.end()) return known->second;
  const Graph graph_for_rows = graph(rows);
  if (spread_ != nullptr && spread_->world().rank() == 0 && options_.on_first_program != nullptr)
    std::exchange(options_.on_first_program, nullptr)(spread_->placed(rows));
  std::vector<Tensor> parameters;
  for (const ValueId id : graph_for_rows.parameters)
    parameters.push_back(weights_.at(graph_for_rows.values[static_cast<size_t>(id)].name));
  const CompileOptions compile{.threads = options_.threads,
                               .reference_only = options_.reference_only,
                               .deterministic = options_.deterministic,
                               .precision = options_.precision,
                               .runs_once = options_.runs_once,
                               .streams = options_.streams,
                               .world = options_.world};
  return programs_.emplace(rows, Program::compile(graph_for_rows, parameters, compile))
      .first->second;
}

Tensor Model::predict(const Tensor& x) {
  Shape row = x.shape();
  require(!row.empty(), "{} predicts batches of {}, got a scalar", to_string(spec_),
          to_string(row_shape_));
  row.erase(0);
  require(row == row_shape_ && x.dtype() == DType::kF32, "{} wants f32 rows of {}, got {} of {}",
          to_string(spec_), to_string(row_shape_), to_string(x.dtype()), to_string(row));
  return run(spread_ == nullptr ? x.contiguous() : part_of_batch(x), x.shape().front());
}

Tensor Model::run(const Tensor& part, int64_t rows) {
  return program(rows).run(std::span(&part, 1)).front();
}

Tensor Model::part_of_batch(const Tensor& x) const {
  const Placed& placed = spread_->placed(x.shape().front());
  return x.slice(part_of(placed, placed.graph.inputs[0], spread_->world().rank())).contiguous();
}

Pipeline Model::part_of_rows(Pipeline rows) const {
  if (spread_ == nullptr || rows.row_count() == 0) return rows;
  // Shardings in numbers of pieces may not fit a single row.
  const int64_t batches = std::max<int64_t>(1, rows.batch_count());
  const Placed& placed = spread_->placed((rows.row_count() + batches - 1) / batches);
  const Layout& layout = placed.layout(placed.graph.inputs[0]);
  const Rank rank = spread_->world().rank();
  for (size_t d = 1; d < layout.dims.size(); ++d)
    if (part_count(layout, d) > 1) return rows;
  if (!layout.mesh->find_place(rank)) return rows;
  return rows.part(part_index(layout, 0, rank), part_count(layout, 0));
}

Tensor Model::all_labels(const Batch& batch) const {
  if (batch.rows == batch.all_rows && spread_ == nullptr) return batch.labels;
  const Placed& placed = spread_->placed(batch.all_rows);
  const Layout& layout = placed.layout(placed.graph.inputs[0]);
  const int count = part_count(layout, 0);
  if (batch.rows == batch.all_rows && count == 1) return batch.labels;
  const Layout rows{layout.mesh, {layout.dims[0]}, {}};
  std::vector<Box> boxes;
  for (Rank rank = 0; rank < spread_->world().size(); ++rank)
    boxes.push_back(layout.mesh->find_place(rank) ? local_box(rows, {batch.all_rows}, rank)
                                                  : Box{{0}, {batch.all_rows}});
  return gather_boxes(spread_->world(), batch.labels, boxes, {batch.all_rows});
}

namespace {

/// The rows `kept` of a tensor [n, ...].
Tensor rows_of(const Tensor& all, std::span<const size_t> kept) {
  Shape shape = all.shape();
  shape[0] = std::ssize(kept);
  Tensor some(all.dtype(), shape);
  const Tensor from = all.contiguous();
  const size_t bytes = from.bytes().size() / static_cast<size_t>(all.shape()[0]);
  std::byte* to = some.mutable_bytes().data();
  for (const size_t row : kept) {
    const auto place = from.bytes().subspan(row * bytes, bytes);
    to = std::copy(place.begin(), place.end(), to);
  }
  return some;
}

void update_metrics(const std::vector<std::unique_ptr<Metric>>& metrics, const Tensor& outputs,
                    const Tensor& labels, const std::string& loss) {
  for (const auto& metric : metrics) {
    if (metric->wants_loss())
      metric->update_loss(mean_loss(loss, outputs, labels));
    else
      metric->update(outputs, labels);
  }
}

/// Those of `rows` that were left out go into `bad`; returns the places of the others.
std::vector<size_t> sort_out(const Batch& batch, const Tensor& labels, const Pipeline& source,
                             std::vector<int64_t>& rows, std::vector<BadRow>& bad) {
  std::vector<size_t> kept;
  const auto label = labels.data<int32_t>();
  for (size_t i = 0; i < rows.size(); ++i) {
    if (label[i] != kLeftOut) {
      kept.push_back(i);
      continue;
    }
    const auto known = std::find_if(batch.bad.begin(), batch.bad.end(),
                                    [&](const BadRow& row) { return row.index == rows[i]; });
    bad.push_back({rows[i], known != batch.bad.end() ? known->reason
                                                     : reading_error(source.source(), rows[i])});
  }
  for (size_t i = 0; i < kept.size(); ++i) rows[i] = rows[kept[i]];
  rows.resize(kept.size());
  return kept;
}

}  // namespace

EvalReport Model::eval(Pipeline rows, const std::vector<std::unique_ptr<Metric>>& metrics,
                       const EvalOptions& options) {
  const ErrorContext context([&] { return fmt::format("evaluating {}", to_string(spec_)); });
  for (const auto& metric : metrics) metric->clear();
  EvalReport report;
  const Stopwatch watch;
  rows = part_of_rows(std::move(rows));
  rows.start();
  if (rows.batch_count() > 0) (void)program(rows.batch_rows());  // while the first rows are read
  int64_t done = 0;
  while (true) {
    const Stopwatch asked;
    const std::optional<Batch> batch = rows.next();
    report.wait_seconds += asked.seconds();
    if (!batch) break;
    const bool is_part = batch->rows != batch->all_rows;
    Tensor outputs = is_part ? run(batch->data, batch->all_rows) : predict(batch->data);
    Tensor labels = all_labels(*batch);
    std::vector<int64_t> numbers;
    for (int64_t i = 0; i < batch->all_rows; ++i) numbers.push_back(rows.source_index(done + i));
    const auto kept = sort_out(*batch, labels, rows, numbers, report.bad);
    if (std::ssize(kept) != batch->all_rows) {
      outputs = rows_of(outputs, kept);
      labels = rows_of(labels, kept);
    }
    if (!kept.empty()) {
      if (options.observe) options.observe({outputs, labels, numbers});
      update_metrics(metrics, outputs, labels, options.loss);
    }
    done += batch->all_rows;
    report.rows += std::ssize(kept);
    if (options.progress) options.progress(done);
  }
  require(report.rows > 0, "there are no rows to evaluate");
  report.seconds = watch.seconds();
  std::sort(report.bad.begin(), report.bad.end(),
            [](const BadRow& a, const BadRow& b) { return a.index < b.index; });
  for (const auto& metric : metrics) {
    report.metrics.push_back(metric->result());
    report.correct = std::max(report.correct, report.metrics.back().correct);
  }
  return report;
}

}  // namespace tessera
