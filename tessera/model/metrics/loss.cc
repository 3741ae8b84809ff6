#include "tessera/model/internal/class_values.h"

namespace tessera {
namespace {

/// The mean of the batches' losses: a smaller last batch weighs as much as the others.
class Loss final : public Metric {
 public:
  explicit Loss(const MetricArguments& arguments) : Metric(arguments.text()) {}

  bool wants_loss() const override { return true; }
  void clear() override {
    sum_ = 0;
    batches_ = 0;
  }
  void update_loss(double mean_loss) override {
    sum_ += mean_loss;
    ++batches_;
  }
  void merge(const Metric& other) override {
    const auto& more = dynamic_cast<const Loss&>(other);
    sum_ += more.sum_;
    batches_ += more.batches_;
  }
  MetricResult result() const override {
    internal::require_updated(batches_ > 0, name());
    return number(sum_ / static_cast<double>(batches_));
  }

 private:
  double sum_ = 0;
  int64_t batches_ = 0;
};

}  // namespace

MetricDef metric_loss() {
  return {.names = {"loss"},
          .notation = "loss",
          .doc = "mean of the batches' mean losses",
          .make = [](const MetricArguments& arguments) -> std::unique_ptr<Metric> {
            return std::make_unique<Loss>(arguments);
          }};
}

}  // namespace tessera
