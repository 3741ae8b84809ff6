#include <algorithm>

#include "tessera/model/internal/class_values.h"

namespace tessera {
namespace {

using internal::EvalType;

class Accuracy final : public Metric {
 public:
  explicit Accuracy(const MetricArguments& arguments)
      : Metric(arguments.text()), type_(internal::parse_eval_type(arguments.word("eval_type"))) {}

  void clear() override { correct_ = samples_ = classes_ = 0; }
  void update(const Tensor& outputs, const Tensor& labels) override {
    if (type_ == EvalType::kMultilabel) {
      const internal::Multilabel batch = internal::read_multilabel(outputs, labels);
      internal::require_same_classes(classes_, batch.classes);
      const auto classes = static_cast<size_t>(batch.classes);
      for (auto at = batch.predicted.begin(); at != batch.predicted.end(); at += batch.classes) {
        const auto actual = batch.actual.begin() + (at - batch.predicted.begin());
        correct_ += std::equal(at, at + static_cast<ptrdiff_t>(classes), actual) ? 1 : 0;
      }
      samples_ += batch.samples;
      return;
    }
    const internal::Classified batch = internal::classify(outputs, labels);
    internal::require_same_classes(classes_, batch.classes);
    for (size_t i = 0; i < batch.actual.size(); ++i)
      correct_ += batch.actual[i] == batch.predicted[i] ? 1 : 0;
    samples_ += static_cast<int64_t>(batch.actual.size());
  }
  void merge(const Metric& other) override {
    const auto& more = dynamic_cast<const Accuracy&>(other);
    if (more.classes_ > 0) internal::require_same_classes(classes_, more.classes_);
    correct_ += more.correct_;
    samples_ += more.samples_;
  }
  MetricResult result() const override {
    internal::require_updated(samples_ > 0, name());
    MetricResult result = number(static_cast<double>(correct_) / static_cast<double>(samples_));
    result.correct = correct_;
    result.samples = samples_;
    return result;
  }

 private:
  EvalType type_;
  int64_t correct_ = 0;
  int64_t samples_ = 0;
  int64_t classes_ = 0;
};

}  // namespace

MetricDef metric_accuracy() {
  return {.names = {"accuracy", "acc"},
          .notation = "accuracy[(multilabel)]",
          .doc =
              "share of samples whose largest score is the label; of those that are right in "
              "every class for multilabel",
          .options = {{"eval_type", "classification"}},
          .make = [](const MetricArguments& arguments) -> std::unique_ptr<Metric> {
            return std::make_unique<Accuracy>(arguments);
          }};
}

}  // namespace tessera
