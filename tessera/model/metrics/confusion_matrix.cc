#include "tessera/base/text.h"
#include "tessera/model/internal/class_values.h"

namespace tessera {
namespace {

/// Rows are labels, columns predictions. Scores with a dim more than the labels give their largest;
/// scores in the shape of the labels are 1 from the threshold on, else 0.
class ConfusionMatrix final : public Metric {
 public:
  explicit ConfusionMatrix(const MetricArguments& arguments)
      : Metric(arguments.text()),
        asked_classes_(arguments.integer("num_classes")),
        normalize_(arguments.word("normalize")),
        threshold_(arguments.number("threshold")) {
    constexpr int64_t kMostClasses = 1 << 14;
    require(asked_classes_ >= 0 && asked_classes_ <= kMostClasses,
            "num_classes is at most {}, got {}", kMostClasses, asked_classes_);
    require(normalize_ == "no_norm" || normalize_ == "target" || normalize_ == "prediction" ||
                normalize_ == "all",
            "normalize is no_norm, target, prediction or all, got '{}'", printable(normalize_));
  }

  void clear() override {
    counts_.clear();
    classes_ = 0;
  }
  void update(const Tensor& outputs, const Tensor& labels) override {
    if (outputs.ndim() == labels.ndim() + 1) {
      const internal::Classified batch = internal::classify(outputs, labels);
      begin(batch.classes);
      for (size_t i = 0; i < batch.actual.size(); ++i) count(batch.actual[i], batch.predicted[i]);
      return;
    }
    require(outputs.shape() == labels.shape(),
            "outputs have the labels' shape or one dim of classes more, got {} and {}",
            describe(outputs), describe(labels));
    begin(2);
    const bool scores = info(outputs.dtype()).is_floating;
    const Tensor predicted = internal::as_f64(outputs);
    const Tensor actual = internal::as_f64(labels);
    for (size_t i = 0; i < actual.data<double>().size(); ++i) {
      const double value = predicted.data<double>()[i];
      count(to_class(actual.data<double>()[i]),
            scores ? (value >= threshold_ ? 1 : 0) : to_class(value));
    }
  }
  void merge(const Metric& other) override {
    const auto& more = dynamic_cast<const ConfusionMatrix&>(other);
    if (more.classes_ == 0) return;
    internal::require_same_classes(classes_, more.classes_);
    counts_.resize(more.counts_.size());
    for (size_t i = 0; i < counts_.size(); ++i) counts_[i] += more.counts_[i];
  }
  MetricResult result() const override {
    internal::require_updated(classes_ > 0, name());
    MetricResult result{.name = name(), .shape = {classes_, classes_}, .values = counts_};
    const auto n = static_cast<size_t>(classes_);
    std::vector<double> by_row(n);
    std::vector<double> by_column(n);
    double all = 0;
    for (size_t i = 0; i < counts_.size(); ++i) {
      by_row[i / n] += counts_[i];
      by_column[i % n] += counts_[i];
      all += counts_[i];
    }
    for (size_t i = 0; i < counts_.size() && normalize_ != "no_norm"; ++i) {
      const double whole = normalize_ == "target"       ? by_row[i / n]
                           : normalize_ == "prediction" ? by_column[i % n]
                                                        : all;
      result.values[i] = whole == 0 ? 0 : counts_[i] / whole;
    }
    return result;
  }

 private:
  static int64_t to_class(double value) {
    return value > -1 && value < 0x1p53 ? static_cast<int64_t>(value) : -1;
  }
  void begin(int64_t classes) {
    classes_ = asked_classes_ > 0 ? asked_classes_ : std::max(classes_, classes);
    require(asked_classes_ > 0 || counts_.empty() ||
                static_cast<int64_t>(counts_.size()) == classes_ * classes_,
            "this batch has {} classes, those before it another number", classes);
    counts_.resize(static_cast<size_t>(classes_ * classes_));
  }
  void count(int64_t actual, int64_t predicted) {
    require(actual >= 0 && actual < classes_ && predicted >= 0 && predicted < classes_,
            "label {} or prediction {} is none of the {} classes", actual, predicted, classes_);
    ++counts_[static_cast<size_t>(actual * classes_ + predicted)];
  }

  int64_t asked_classes_;
  std::string normalize_;
  double threshold_;
  int64_t classes_ = 0;
  std::vector<double> counts_;  // [labels, predictions]
};

}  // namespace

MetricDef metric_confusion_matrix() {
  return {.names = {"confusion_matrix"},
          .notation = "confusion_matrix[(CLASSES,no_norm|target|prediction|all,THRESHOLD)]",
          .doc =
              "how often each label (row) was given each class (column); CLASSES as many as the "
              "outputs have unless said",
          .options = {{"num_classes", "0"}, {"normalize", "no_norm"}, {"threshold", "0.5"}},
          .make = [](const MetricArguments& arguments) -> std::unique_ptr<Metric> {
            return std::make_unique<ConfusionMatrix>(arguments);
          }};
}

}  // namespace tessera
