#include <cmath>

#include "tessera/base/text.h"
#include "tessera/model/internal/class_values.h"

namespace tessera {
namespace {

class TopK final : public Metric {
 public:
  explicit TopK(const MetricArguments& arguments)
      : Metric(arguments.text()),
        k_(arguments.metric() == "top_1_accuracy"   ? 1
           : arguments.metric() == "top_5_accuracy" ? 5
                                                    : arguments.integer("k")) {
    require(arguments.metric() == "topk" || !arguments.has("k"), "{} has its k; use topk(K)",
            arguments.metric());
    require(k_ >= 1, "k is at least 1, got {}", k_);
  }

  void clear() override { correct_ = samples_ = 0; }
  void update(const Tensor& outputs, const Tensor& labels) override {
    const Tensor actual = internal::as_f64(internal::labels_of(outputs, labels));
    require(outputs.ndim() == 2 && actual.size() == outputs.shape()[0],
            "outputs are [n, classes] with n labels, got {} and {}", describe(outputs),
            describe(labels));
    const int64_t classes = outputs.shape()[1];
    require(k_ <= classes, "the {} largest of {} classes were asked for", k_, classes);
    const Tensor scores = internal::as_f64(outputs);
    for (int64_t row = 0; row < actual.size(); ++row)
      correct_ += is_among_largest(scores.data<double>().subspan(static_cast<size_t>(row * classes),
                                                                 static_cast<size_t>(classes)),
                                   actual.data<double>()[static_cast<size_t>(row)]);
    samples_ += actual.size();
  }
  void merge(const Metric& other) override {
    const auto& more = dynamic_cast<const TopK&>(other);
    correct_ += more.correct_;
    samples_ += more.samples_;
  }
  MetricResult result() const override {
    internal::require_updated(samples_ > 0, name());
    MetricResult result = number(static_cast<double>(correct_) / static_cast<double>(samples_));
    result.samples = samples_;
    if (k_ == 1) result.correct = correct_;
    return result;
  }

 private:
  /// In descending order, equals by class, NaNs last.
  int64_t is_among_largest(std::span<const double> scores, double label) const {
    const auto classes = static_cast<double>(scores.size());
    if (!(label >= 0 && label < classes && label == std::floor(label))) return 0;
    const auto own = static_cast<size_t>(label);
    const auto comes_before = [&](size_t c) {
      if (std::isnan(scores[c]) || std::isnan(scores[own]))
        return std::isnan(scores[c]) ? std::isnan(scores[own]) && c < own : true;
      return scores[c] > scores[own] || (scores[c] == scores[own] && c < own);
    };
    int64_t before = 0;
    for (size_t c = 0; c < scores.size(); ++c) before += comes_before(c) ? 1 : 0;
    return before < k_ ? 1 : 0;
  }

  int64_t k_;
  int64_t correct_ = 0;
  int64_t samples_ = 0;
};

}  // namespace

MetricDef metric_topk() {
  return {.names = {"topk", "top_1_accuracy", "top_5_accuracy"},
          .notation = "topk(K), top_1_accuracy, top_5_accuracy",
          .doc = "share of samples whose label is among the K largest scores",
          .options = {{"k", ""}},
          .make = [](const MetricArguments& arguments) -> std::unique_ptr<Metric> {
            return std::make_unique<TopK>(arguments);
          }};
}

}  // namespace tessera
