#include <limits>
#include <numeric>

#include "tessera/model/internal/class_values.h"

namespace tessera {
namespace {

/// (1 + β²)·TP / (β²·actual + predicted + the smallest normal double) per class.
class Fbeta final : public Metric {
 public:
  explicit Fbeta(const MetricArguments& arguments)
      : Metric(arguments.text()),
        beta_(arguments.metric() == "F1" ? 1.0 : arguments.number("beta")),
        average_(arguments.flag("average")) {
    require(arguments.metric() != "F1" || !arguments.has("beta"), "F1 has beta 1; use fbeta(BETA)");
    require(beta_ > 0, "beta is above 0, got {}", beta_);
  }

  void clear() override { counts_.clear(); }
  void update(const Tensor& outputs, const Tensor& labels) override {
    const internal::Classified batch = internal::classify(outputs, labels);
    internal::require_labels_in_range(batch);
    grow(batch.classes);
    for (size_t i = 0; i < batch.actual.size(); ++i) {
      Counts& actual = counts_[static_cast<size_t>(batch.actual[i])];
      ++actual.actual;
      ++counts_[static_cast<size_t>(batch.predicted[i])].predicted;
      if (batch.actual[i] == batch.predicted[i]) ++actual.both;
    }
  }
  void merge(const Metric& other) override {
    const auto& more = dynamic_cast<const Fbeta&>(other).counts_;
    if (more.empty()) return;
    grow(static_cast<int64_t>(more.size()));
    for (size_t c = 0; c < more.size(); ++c) {
      counts_[c].both += more[c].both;
      counts_[c].actual += more[c].actual;
      counts_[c].predicted += more[c].predicted;
    }
  }
  MetricResult result() const override {
    internal::require_updated(!counts_.empty(), name());
    const double square = beta_ * beta_;
    std::vector<double> values;
    for (const Counts& c : counts_)
      values.push_back((1.0 + square) * c.both /
                       (square * c.actual + c.predicted + std::numeric_limits<double>::min()));
    const auto classes = static_cast<int64_t>(values.size());
    if (average_)
      return number(std::accumulate(values.begin(), values.end(), 0.0) /
                    static_cast<double>(classes));
    return {.name = name(), .shape = {classes}, .values = std::move(values)};
  }

 private:
  struct Counts {
    double both = 0;
    double actual = 0;
    double predicted = 0;
  };
  void grow(int64_t classes) {
    auto known = static_cast<int64_t>(counts_.size());
    internal::require_same_classes(known, classes);
    counts_.resize(static_cast<size_t>(classes));
  }

  double beta_;
  bool average_;
  std::vector<Counts> counts_;  // per class; empty before the first update
};

}  // namespace

MetricDef metric_fbeta() {
  return {.names = {"F1", "fbeta"},
          .notation = "F1, fbeta(BETA[,average=true])",
          .doc =
              "per class, the harmonic mean of precision and recall, recall weighted by BETA; "
              "their mean with average",
          .options = {{"beta", ""}, {"average", "false"}},
          .make = [](const MetricArguments& arguments) -> std::unique_ptr<Metric> {
            return std::make_unique<Fbeta>(arguments);
          }};
}

}  // namespace tessera
