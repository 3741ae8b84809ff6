#include "tessera/model/model.h"

#include <numeric>
#include <utility>

#include "tessera/base/stopwatch.h"
#include "tessera/base/text.h"
#include "tessera/model/internal/load_weights.h"
#include "tessera/model/spread.h"
#include "tessera/ops/registry.h"
#include "tessera/passes/lower.h"
#include "tessera/passes/pass.h"

namespace tessera {
namespace {

std::vector<NetworkParameter> parameters_of(const Graph& graph) {
  std::vector<NetworkParameter> parameters;
  for (const ValueId id : graph.parameters) {
    const ValueInfo& value = graph.values[static_cast<size_t>(id)];
    parameters.push_back({value.name, value.dtype, value.shape});
  }
  return parameters;
}

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
  model.weights_ =
      internal::load_weights(source, model.parameters(), model.spread_.get(), model.loaded_);
  return model;
}

std::vector<NetworkParameter> Model::parameters() const {
  return parameters_of(trace(spec_, 1, row_shape_));
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
  const Placed& placed = spread_->placed(1);
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
  Tensor labels(DType::kI32, {batch.all_rows});
  std::vector<Box> boxes;
  std::vector<Tensor> parts;
  for (Rank rank = 0; rank < spread_->world().size(); ++rank) {
    const Layout rows{layout.mesh, {layout.dims[0]}, {}};
    boxes.push_back(layout.mesh->find_place(rank) ? local_box(rows, {batch.all_rows}, rank)
                                                  : Box{{0}, {batch.all_rows}});
    parts.emplace_back(DType::kI32, boxes.back().size);
  }
  spread_->world().all_gather(batch.labels, parts);
  for (size_t i = 0; i < parts.size(); ++i) {
    Tensor target = labels.slice(boxes[i]);
    copy_elements(parts[i], target);
  }
  return labels;
}

EvalReport Model::eval(Pipeline rows, const std::vector<std::unique_ptr<Metric>>& metrics,
                       const EvalOptions& options) {
  const ErrorContext context([&] { return fmt::format("evaluating {}", to_string(spec_)); });
  for (const auto& metric : metrics) metric->clear();
  EvalReport report;
  const Stopwatch watch;
  rows = part_of_rows(std::move(rows));
  while (const std::optional<Batch> batch = rows.next()) {
    const bool is_part = batch->rows != batch->all_rows;
    const Tensor outputs = is_part ? run(batch->data, batch->all_rows) : predict(batch->data);
    const Tensor labels = all_labels(*batch);
    for (const auto& metric : metrics) {
      if (metric->wants_loss()) {
        metric->update_loss(mean_loss(options.loss, outputs, labels));
      } else {
        metric->update(outputs, labels);
      }
    }
    report.rows += batch->all_rows;
    if (options.progress) options.progress(report.rows);
  }
  require(report.rows > 0, "there are no rows to evaluate");
  report.seconds = watch.seconds();
  for (const auto& metric : metrics) {
    report.metrics.push_back(metric->result());
    report.correct = std::max(report.correct, report.metrics.back().correct);
  }
  return report;
}

}  // namespace tessera
