#include "tessera/model/internal/class_values.h"

#include <cmath>
#include <limits>
#include <numeric>

#include "tessera/base/text.h"

namespace tessera::internal {
namespace {

/// [n, classes, …] seen as n × classes × inner.
struct Extents {
  int64_t rows = 0;
  int64_t classes = 0;
  int64_t inner = 1;

  explicit Extents(const Tensor& outputs) {
    require(outputs.ndim() >= 2, "outputs are [n, classes, ...], got {}", describe(outputs));
    rows = outputs.shape()[0];
    classes = outputs.shape()[1];
    for (size_t dim = 2; dim < outputs.ndim(); ++dim) inner *= outputs.shape()[dim];
    require(classes > 0, "outputs {} have no classes", describe(outputs));
  }
  size_t at(int64_t row, int64_t c, int64_t i) const {
    return static_cast<size_t>((row * classes + c) * inner + i);
  }
  int64_t samples() const { return rows * inner; }
};

/// The first of the largest along the classes, as numpy's argmax finds it.
std::vector<int64_t> argmax(std::span<const double> values, const Extents& extents) {
  std::vector<int64_t> best;
  for (int64_t row = 0; row < extents.rows; ++row)
    for (int64_t i = 0; i < extents.inner; ++i) {
      int64_t largest = 0;
      for (int64_t c = 1; c < extents.classes; ++c) {
        const double value = values[extents.at(row, c, i)];
        const double most = values[extents.at(row, largest, i)];
        if (!std::isnan(most) && (std::isnan(value) || value > most)) largest = c;
      }
      best.push_back(largest);
    }
  return best;
}

bool is_one_hot(const Tensor& labels) {
  if (labels.ndim() < 2 || labels.shape()[1] == 0) return false;
  const Tensor numbers = as_f64(labels);
  const auto values = numbers.data<double>();
  const Extents extents(labels);
  for (int64_t row = 0; row < extents.rows; ++row)
    for (int64_t i = 0; i < extents.inner; ++i) {
      double sum = 0;
      for (int64_t c = 0; c < extents.classes; ++c) {
        const double value = values[extents.at(row, c, i)];
        if (value != 0 && value != 1) return false;
        sum += value;
      }
      if (sum != 1) return false;
    }
  return true;
}

std::vector<char> read_flags(const Tensor& tensor, const Extents& extents) {
  const Tensor numbers = as_f64(tensor);
  const auto values = numbers.data<double>();
  std::vector<char> flags;
  for (int64_t row = 0; row < extents.rows; ++row)
    for (int64_t i = 0; i < extents.inner; ++i)
      for (int64_t c = 0; c < extents.classes; ++c) {
        const double value = values[extents.at(row, c, i)];
        require(value == 0 || value == 1, "multilabel outputs and labels are 0 or 1, found {}",
                value);
        flags.push_back(value == 1 ? 1 : 0);
      }
  return flags;
}

class RatioMetric final : public Metric {
 public:
  RatioMetric(const MetricArguments& arguments, TruePositives::Of of)
      : Metric(arguments.text()),
        counts_(parse_eval_type(arguments.word("eval_type")), of),
        average_(arguments.flag("average")) {}

  void clear() override { counts_.clear(); }
  void update(const Tensor& outputs, const Tensor& labels) override {
    counts_.update(outputs, labels);
  }
  void merge(const Metric& other) override {
    counts_.merge(dynamic_cast<const RatioMetric&>(other).counts_);
  }
  MetricResult result() const override {
    require_updated(counts_.is_updated(), name());
    std::vector<double> ratios = counts_.ratios();
    const auto count = static_cast<int64_t>(ratios.size());
    if (average_)
      return number(std::accumulate(ratios.begin(), ratios.end(), 0.0) /
                    static_cast<double>(count));
    return {.name = name(), .shape = {count}, .values = std::move(ratios)};
  }

 private:
  TruePositives counts_;
  bool average_;
};

}  // namespace

EvalType parse_eval_type(std::string_view text) {
  require(text == "classification" || text == "multilabel",
          "eval_type is classification or multilabel, got '{}'", printable(text));
  return text == "multilabel" ? EvalType::kMultilabel : EvalType::kClassification;
}

Tensor as_f64(const Tensor& tensor) {
  return tensor.dtype() == DType::kF64 ? tensor.contiguous() : tensor.cast(DType::kF64);
}

Tensor labels_of(const Tensor& outputs, const Tensor& labels) {
  if (labels.ndim() != outputs.ndim() || !is_one_hot(labels)) return labels;
  const Tensor numbers = as_f64(labels);
  Shape shape = labels.shape();
  shape.erase(1);
  return Tensor::of(std::span<const int64_t>(argmax(numbers.data<double>(), Extents(labels))),
                    shape);
}

Classified classify(const Tensor& outputs, const Tensor& labels) {
  const Extents extents(outputs);
  const Tensor actual = as_f64(labels_of(outputs, labels));
  Shape wanted = outputs.shape();
  wanted.erase(1);
  require(actual.shape() == wanted, "outputs {} need labels of shape {}, got {}", describe(outputs),
          to_string(wanted), describe(labels));
  const Tensor scores = as_f64(outputs);
  Classified batch{extents.classes, argmax(scores.data<double>(), extents), {}};
  for (const double label : actual.data<double>()) {
    const bool is_class = label == std::floor(label) && std::abs(label) < 0x1p53;
    batch.actual.push_back(is_class ? static_cast<int64_t>(label) : -1);
  }
  return batch;
}

void require_labels_in_range(const Classified& batch) {
  for (const int64_t label : batch.actual)
    require(label >= 0 && label < batch.classes, "label {} is none of the {} classes", label,
            batch.classes);
}

Multilabel read_multilabel(const Tensor& outputs, const Tensor& labels) {
  const Extents extents(outputs);
  require(outputs.shape() == labels.shape(),
          "multilabel outputs and labels have one shape, got {} and {}", describe(outputs),
          describe(labels));
  return {extents.classes, extents.samples(), read_flags(outputs, extents),
          read_flags(labels, extents)};
}

void require_same_classes(int64_t& known, int64_t classes) {
  require(known == 0 || known == classes, "this batch has {} classes, those before it {}", classes,
          known);
  known = classes;
}

void require_updated(bool updated, std::string_view metric) {
  require(updated, "metric {} has seen no rows", metric);
}

void TruePositives::update(const Tensor& outputs, const Tensor& labels) {
  if (type_ == EvalType::kMultilabel) {
    const Multilabel batch = read_multilabel(outputs, labels);
    require_same_classes(classes_, batch.classes);
    for (size_t at = 0; at < batch.actual.size(); ++at) {
      if (at % static_cast<size_t>(batch.classes) == 0) {
        true_positives_.push_back(0);
        positives_.push_back(0);
      }
      true_positives_.back() += batch.predicted[at] != 0 && batch.actual[at] != 0 ? 1 : 0;
      positives_.back() += of_ == Of::kActual ? batch.actual[at] : batch.predicted[at];
    }
    return;
  }
  const Classified batch = classify(outputs, labels);
  require_labels_in_range(batch);
  require_same_classes(classes_, batch.classes);
  true_positives_.resize(static_cast<size_t>(classes_));
  positives_.resize(static_cast<size_t>(classes_));
  for (size_t i = 0; i < batch.actual.size(); ++i) {
    const auto actual = static_cast<size_t>(batch.actual[i]);
    const auto predicted = static_cast<size_t>(batch.predicted[i]);
    if (actual == predicted) ++true_positives_[actual];
    ++positives_[of_ == Of::kActual ? actual : predicted];
  }
}

void TruePositives::merge(const TruePositives& other) {
  if (!other.is_updated()) return;
  require_same_classes(classes_, other.classes_);
  if (type_ == EvalType::kMultilabel) {
    true_positives_.insert(true_positives_.end(), other.true_positives_.begin(),
                           other.true_positives_.end());
    positives_.insert(positives_.end(), other.positives_.begin(), other.positives_.end());
    return;
  }
  true_positives_.resize(static_cast<size_t>(classes_));
  positives_.resize(static_cast<size_t>(classes_));
  for (size_t c = 0; c < positives_.size(); ++c) {
    true_positives_[c] += other.true_positives_[c];
    positives_[c] += other.positives_[c];
  }
}

std::vector<double> TruePositives::ratios() const {
  std::vector<double> ratios;
  for (size_t i = 0; i < positives_.size(); ++i)
    ratios.push_back(true_positives_[i] / (positives_[i] + std::numeric_limits<double>::min()));
  return ratios;
}

std::unique_ptr<Metric> make_ratio_metric(const MetricArguments& arguments, TruePositives::Of of) {
  return std::make_unique<RatioMetric>(arguments, of);
}

}  // namespace tessera::internal
