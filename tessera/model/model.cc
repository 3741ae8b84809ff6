#include "tessera/model/model.h"

#include <chrono>
#include <numeric>

#include "tessera/base/text.h"
#include "tessera/ops/registry.h"
#include "tessera/passes/pass.h"

namespace tessera {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

std::vector<NetworkParameter> parameters_of(const Graph& graph) {
  std::vector<NetworkParameter> parameters;
  for (const ValueId id : graph.parameters) {
    const ValueInfo& value = graph.values[static_cast<size_t>(id)];
    parameters.push_back({value.name, value.dtype, value.shape});
  }
  return parameters;
}

/// The value of a parameter that no file gives: what MindSpore's cells start statistics and scales
/// with, and zero for weights.
Tensor initial_value(const NetworkParameter& parameter) {
  const bool one = parameter.name.ends_with("gamma") || parameter.name.ends_with("moving_variance");
  Tensor tensor(DType::kF32, parameter.shape);
  for (float& value : tensor.mutable_data<float>()) value = one ? 1.0F : 0.0F;
  return tensor.cast(parameter.dtype);
}

std::map<std::string, Tensor, std::less<>> load_weights(
    const ModelSource& source, const std::vector<NetworkParameter>& parameters,
    LoadSummary& summary) {
  std::map<std::string, Tensor, std::less<>> weights;
  std::vector<Tensor> tensors(parameters.size());
  const Clock::time_point start = Clock::now();
  if (!source.weights.empty()) {
    const ErrorContext context([&] {
      return fmt::format("loading the parameters of {} from {}", source.model,
                         source.weights.front().string());
    });
    const Checkpoint checkpoint = open_checkpoint(source.weights, source.open);
    const MatchReport report = match_parameters(parameters, checkpoint.catalog, source.match);
    require(!report.matches.empty() || !source.match.allow.empty(),
            "nothing that the file holds fills a parameter of {}{}", source.model,
            parameters.empty() ? "" : suggest(parameters.front().name, checkpoint.catalog.names()));
    tensors = load_parameters(checkpoint, parameters, report, source.load);
    summary.not_used = report.not_used;
    summary.not_loaded = report.not_loaded;
    summary.notes = report.notes;
    const auto& deviations = checkpoint.catalog.deviations;
    summary.notes.insert(summary.notes.end(), deviations.begin(), deviations.end());
    for (const CatalogFile& file : checkpoint.catalog.files)
      summary.unchecked_crc |= file.crc == CrcState::kPresent;
  }
  for (size_t i = 0; i < parameters.size(); ++i) {
    if (tensors[i].is_defined()) summary.bytes += static_cast<uint64_t>(tensors[i].byte_count());
    weights.emplace(parameters[i].name,
                    tensors[i].is_defined() ? tensors[i] : initial_value(parameters[i]));
  }
  summary.seconds = seconds_since(start);
  return weights;
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
  model.spec_ = parse_model(source.model);
  model.options_ = options;
  model.row_shape_ = source.row_shape.empty() ? model.spec_.model->row_shape(model.spec_.options)
                                              : source.row_shape;
  const Graph graph = trace(model.spec_, 1, model.row_shape_);
  model.weights_ = load_weights(source, parameters_of(graph), model.loaded_);
  return model;
}

std::vector<NetworkParameter> Model::parameters() const {
  return parameters_of(trace(spec_, 1, row_shape_));
}

const Tensor& Model::weight(std::string_view name) const {
  const auto found = weights_.find(name);
  require(found != weights_.end(), "{} has no parameter '{}'", to_string(spec_), name);
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

Graph Model::graph(int64_t rows) const {
  return run_passes(trace(spec_, rows, row_shape_), inference_passes());
}

Program& Model::program(int64_t rows) {
  const auto known = programs_.find(rows);
  if (known != programs_.end()) return known->second;
  const Graph graph_for_rows = graph(rows);
  std::vector<Tensor> parameters;
  for (const ValueId id : graph_for_rows.parameters)
    parameters.push_back(weights_.at(graph_for_rows.values[static_cast<size_t>(id)].name));
  const CompileOptions compile{.threads = options_.threads,
                               .reference_only = options_.reference_only,
                               .deterministic = options_.deterministic};
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
  const std::vector<Tensor> inputs{x.contiguous()};
  return program(x.shape().front()).run(inputs).front();
}

EvalReport Model::eval(Pipeline rows, const std::vector<std::unique_ptr<Metric>>& metrics,
                       const EvalOptions& options) {
  const ErrorContext context([&] { return fmt::format("evaluating {}", to_string(spec_)); });
  for (const auto& metric : metrics) metric->clear();
  EvalReport report;
  const Clock::time_point start = Clock::now();
  while (const std::optional<Batch> batch = rows.next()) {
    const Tensor outputs = predict(batch->data);
    for (const auto& metric : metrics) {
      if (metric->wants_loss()) {
        metric->update_loss(mean_loss(options.loss, outputs, batch->labels));
      } else {
        metric->update(outputs, batch->labels);
      }
    }
    report.rows += batch->rows;
    if (options.progress) options.progress(report.rows);
  }
  require(report.rows > 0, "there are no rows to evaluate");
  report.seconds = seconds_since(start);
  for (const auto& metric : metrics) {
    report.metrics.push_back(metric->result());
    report.correct = std::max(report.correct, report.metrics.back().correct);
  }
  return report;
}

}  // namespace tessera
