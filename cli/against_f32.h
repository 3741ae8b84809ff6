// What a lower precision changes: the outputs of a model beside those of the same model in f32.
//
//   largest difference from f32: 0.0132 of outputs up to 11.2; the same first class in 31 of 32
//   rows
#pragma once

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>

#include "cli/output.h"
#include "tessera/model/model.h"

namespace tessera::cli {

class AgainstF32 {
 public:
  /// Nothing to compare where `model` runs in f32.
  AgainstF32(const Model& model, const RunOptions& run) {
    if (run.precision != Precision::kF32) exact_ = model.with_precision(Precision::kF32);
  }

  bool is_asked() const { return exact_.has_value(); }

  /// Predicts `x` in f32 too and compares; gives the largest difference of these outputs.
  double add(const Tensor& x, const Tensor& outputs) {
    const Tensor exact = exact_->predict(x);
    const auto found = outputs.data<float>();
    const auto wanted = exact.data<float>();
    double most = 0;
    for (size_t i = 0; i < found.size(); ++i) {
      const double value = wanted[i];
      most = std::max(most, std::abs(static_cast<double>(found[i]) - value));
      largest_ = std::max(largest_, std::abs(value));
    }
    difference_ = std::max(difference_, most);
    const auto rows = static_cast<size_t>(outputs.shape().empty() ? 1 : outputs.shape()[0]);
    const size_t width = rows == 0 ? 0 : found.size() / rows;
    for (size_t row = 0; row < rows && width > 0; ++row, ++rows_) {
      const size_t at = row * width;
      if (first_class(found.subspan(at, width)) == first_class(wanted.subspan(at, width)))
        ++same_class_;
    }
    return most;
  }

  std::string to_string() const {
    return fmt::format(
        "largest difference from f32: {:.3g} of outputs up to {:.3g}; the same first class in {} "
        "of {} rows",
        difference_, largest_, same_class_, rows_);
  }

  /// Fields of an open object.
  void append(Json& out) const {
    out.field("largest_difference_from_f32", difference_).field("largest_f32_output", largest_);
    out.field("same_first_class", same_class_);
  }

 private:
  static std::ptrdiff_t first_class(std::span<const float> row) {
    return std::max_element(row.begin(), row.end()) - row.begin();
  }

  std::optional<Model> exact_;
  double difference_ = 0;
  double largest_ = 0;  // |output| in f32
  int64_t rows_ = 0;
  int64_t same_class_ = 0;
};

inline double percent_correct(const EvalReport& report) {
  return 100 * static_cast<double>(report.correct) / static_cast<double>(report.rows);
}

/// In percentage points; nothing where no metric counts correct rows.
inline std::optional<double> accuracy_points(const EvalReport& report, const EvalReport& exact) {
  if (report.correct < 0 || report.rows == 0 || exact.rows == 0) return std::nullopt;
  return percent_correct(report) - percent_correct(exact);
}

/// "accuracy 98.66 % in bf16, 98.67 % in f32: -0.01 percentage points".
inline std::string accuracy_difference(const EvalReport& report, const EvalReport& exact,
                                       std::string_view precision) {
  const std::optional<double> points = accuracy_points(report, exact);
  if (!points) return "no metric counts correct rows: --metrics accuracy does";
  return fmt::format("accuracy {:.2f} % in {}, {:.2f} % in f32: {:+.2f} percentage points",
                     percent_correct(report), precision, percent_correct(exact), *points);
}

}  // namespace tessera::cli
