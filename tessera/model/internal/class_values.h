// What the metrics of classifiers share: how outputs and labels of a batch are read.
//
// Scores are [n, classes, …]; a sample is one position of the other dims. Labels are [n, …], or
// one-hot in the shape of the scores: more than one dim, every value 0 or 1, and a sum of 1 over
// dim 1 everywhere.
#pragma once

#include <string_view>
#include <vector>

#include "tessera/model/metric.h"

namespace tessera::internal {

enum class EvalType : uint8_t { kClassification, kMultilabel };
/// "classification" or "multilabel".
EvalType parse_eval_type(std::string_view text);

/// One class per sample.
struct Classified {
  int64_t classes = 0;
  std::vector<int64_t>
      predicted;                // the class of the largest score, the lowest of equals; a NaN wins
  std::vector<int64_t> actual;  // may lie outside of the classes
};
Classified classify(const Tensor& outputs, const Tensor& labels);
/// Throws kInvalidArgument for a label outside of the classes.
void require_labels_in_range(const Classified& batch);

/// Any number of classes per sample: 0 or 1 in [samples, classes].
struct Multilabel {
  int64_t classes = 0;
  int64_t samples = 0;
  std::vector<char> predicted;
  std::vector<char> actual;
};
Multilabel read_multilabel(const Tensor& outputs, const Tensor& labels);

/// The labels [n, …] as numbers: one-hot ones in the shape of the scores become classes.
Tensor labels_of(const Tensor& outputs, const Tensor& labels);
/// Row-major f64, for reading numbers of any dtype.
Tensor as_f64(const Tensor& tensor);

/// Remembers the number of classes of the first batch; throws when a later batch has another.
void require_same_classes(int64_t& known, int64_t classes);
/// Throws kInvalidArgument when nothing was counted yet.
void require_updated(bool updated, std::string_view metric);

/// Sums per class, or per sample for multilabel, of what precision and recall divide.
class TruePositives {
 public:
  enum class Of : uint8_t { kPredicted, kActual };
  TruePositives(EvalType type, Of of) : type_(type), of_(of) {}

  void clear() { *this = TruePositives(type_, of_); }
  void update(const Tensor& outputs, const Tensor& labels);
  void merge(const TruePositives& other);
  /// True positives / (positives + the smallest normal double): one per class, or per sample in the
  /// order of the updates.
  std::vector<double> ratios() const;
  bool is_updated() const { return classes_ > 0; }

 private:
  EvalType type_;
  Of of_;
  int64_t classes_ = 0;
  std::vector<double> true_positives_;
  std::vector<double> positives_;
};

/// precision and recall: ratios(), or their mean.
std::unique_ptr<Metric> make_ratio_metric(const MetricArguments& arguments, TruePositives::Of of);

}  // namespace tessera::internal
