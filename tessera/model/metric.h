// What an evaluation measures, by MindSpore's names and definitions:
//
//   accuracy   accuracy(multilabel)   topk(3)   precision(average=true) confusion_matrix(10,target)
//
// Sums are kept in double, also where MindSpore keeps them in float. Each metric is one file of
// tessera/model/metrics.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tessera/tensor/tensor.h"

namespace tessera {

/// A number (shape []) or an array of numbers in row-major order.
struct MetricResult {
  std::string name;  // as asked for: "topk(3)"
  Shape shape;
  std::vector<double> values;
  int64_t correct = -1;  // samples that are right, where the metric counts them
  int64_t samples = -1;  // of how many

  bool is_number() const { return shape.empty(); }
};

/// "0.98", "[0.5, 1]", "[[1, 0], [0, 1]]".
std::string to_string(const MetricResult& result);
/// The number or the nested lists as JSON; values that are not finite are null.
std::string to_json(const MetricResult& result);

class Metric {
 public:
  virtual ~Metric() = default;
  /// As asked for, which is its key in reports.
  const std::string& name() const { return name_; }

  /// Forgets every update.
  virtual void clear() = 0;
  /// Whether it takes losses and no outputs.
  virtual bool wants_loss() const { return false; }
  /// Takes one batch: outputs [n, classes, …], labels [n, …]. Throws kInvalidArgument when the
  /// shapes or values do not fit together.
  virtual void update(const Tensor& outputs, const Tensor& labels);
  /// Takes the mean loss of one batch.
  virtual void update_loss(double mean_loss);
  /// Takes over the updates of `other`, made from the same text: as if its batches came after ours.
  virtual void merge(const Metric& other) = 0;
  /// Throws kInvalidArgument before the first update.
  virtual MetricResult result() const = 0;

 protected:
  explicit Metric(std::string name) : name_(std::move(name)) {}
  /// A number under this metric's name.
  MetricResult number(double value) const {
    return {.name = name_, .shape = {}, .values = {value}};
  }

 private:
  std::string name_;
};

/// What stands in the parentheses after a metric's name: values by position or as name=value.
class MetricArguments {
 public:
  struct Option {
    std::string_view name;
    std::string_view default_value;
  };
  MetricArguments(std::string text, std::string_view metric, std::span<const Option> options,
                  std::span<const std::string_view> given);

  /// The metric as asked for, and the name used for it.
  const std::string& text() const { return text_; }
  std::string_view metric() const { return metric_; }
  /// Whether the text gives this option.
  bool has(std::string_view option) const;
  std::string_view word(std::string_view option) const;
  int64_t integer(std::string_view option) const;
  double number(std::string_view option) const;
  bool flag(std::string_view option) const;

 private:
  struct Value {
    std::string name;
    std::string value;
    bool given = false;
  };
  const Value& find(std::string_view option) const;
  void require_given(std::string_view option, std::string_view example) const;

  std::string text_;
  std::string metric_;
  std::vector<Value> values_;
};

struct MetricDef {
  std::vector<std::string_view> names;  // the first is the usual one
  std::string_view notation;            // "topk(K)"
  std::string_view doc;
  std::vector<MetricArguments::Option> options;
  std::unique_ptr<Metric> (*make)(const MetricArguments&) = nullptr;
};

std::span<const MetricDef> all_metrics();
/// One metric. Throws kInvalidArgument naming the known metrics, or the metric's options.
std::unique_ptr<Metric> parse_metric(std::string_view text);
/// "accuracy,loss,topk(3)": in this order; none twice.
std::vector<std::unique_ptr<Metric>> parse_metrics(std::string_view text);

}  // namespace tessera
