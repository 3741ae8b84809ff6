#include "tessera/model/internal/error_sum.h"

#include "tessera/model/internal/class_values.h"

namespace tessera::internal {
namespace {

class ErrorSum final : public Metric {
 public:
  ErrorSum(const MetricArguments& arguments, double (*measure)(double))
      : Metric(arguments.text()), measure_(measure) {}

  void clear() override {
    sum_ = 0;
    rows_ = 0;
  }
  void update(const Tensor& outputs, const Tensor& labels) override {
    require(labels.ndim() > 0 && labels.size() == outputs.size(),
            "{} compares number with number and wants labels of the outputs' shape, got outputs {} "
            "and labels {}; accuracy and topk take labels that are classes",
            name(), describe(outputs), describe(labels));
    const Tensor predicted = as_f64(outputs);
    const Tensor actual = as_f64(labels);
    const auto p = predicted.data<double>();
    const auto a = actual.data<double>();
    for (size_t i = 0; i < p.size(); ++i) sum_ += measure_(a[i] - p[i]);
    rows_ += labels.shape()[0];
  }
  void merge(const Metric& other) override {
    const auto& more = dynamic_cast<const ErrorSum&>(other);
    sum_ += more.sum_;
    rows_ += more.rows_;
  }
  MetricResult result() const override {
    require_updated(rows_ > 0, name());
    return number(sum_ / static_cast<double>(rows_));
  }

 private:
  double (*measure_)(double);
  double sum_ = 0;
  int64_t rows_ = 0;
};

}  // namespace

std::unique_ptr<Metric> make_error_metric(const MetricArguments& arguments,
                                          double (*measure)(double difference)) {
  return std::make_unique<ErrorSum>(arguments, measure);
}

}  // namespace tessera::internal
