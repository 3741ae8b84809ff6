#include "cli/against_f32.h"

#include <algorithm>
#include <cmath>

namespace tessera::cli {
namespace {

double percent_correct(const EvalReport& report) {
  return 100 * static_cast<double>(report.correct) / static_cast<double>(report.rows);
}

size_t first_class(std::span<const float> row) {
  return static_cast<size_t>(std::max_element(row.begin(), row.end()) - row.begin());
}

}  // namespace

AgainstF32::AgainstF32(const Model& model, const RunOptions& run) {
  if (run.precision != Precision::kF32) exact_ = model.with_precision(Precision::kF32);
}

double AgainstF32::add(const Tensor& x, const Tensor& outputs) {
  const Tensor exact = exact_->predict(x);
  const auto found = outputs.data<float>();
  const auto wanted = exact.data<float>();
  double most = 0;
  for (size_t i = 0; i < found.size(); ++i) {
    most = std::max(most, std::abs(static_cast<double>(found[i]) - static_cast<double>(wanted[i])));
    largest_ = std::max(largest_, std::abs(static_cast<double>(wanted[i])));
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

std::string AgainstF32::to_string() const {
  return fmt::format(
      "largest difference from f32: {:.3g} of outputs up to {:.3g}; the same first class in {} of "
      "{} rows",
      difference_, largest_, same_class_, rows_);
}

void AgainstF32::append(Json& out) const {
  out.field("largest_difference_from_f32", difference_).field("largest_f32_output", largest_);
  out.field("same_first_class", same_class_);
}

std::optional<double> accuracy_points(const EvalReport& report, const EvalReport& exact) {
  if (report.correct < 0 || report.rows == 0 || exact.rows == 0) return std::nullopt;
  return percent_correct(report) - percent_correct(exact);
}

std::string accuracy_difference(const EvalReport& report, const EvalReport& exact,
                                std::string_view precision) {
  const std::optional<double> points = accuracy_points(report, exact);
  if (!points) return "no metric counts correct rows: --metrics accuracy does";
  return fmt::format("accuracy {:.2f} % in {}, {:.2f} % in f32: {:+.2f} percentage points",
                     percent_correct(report), precision, percent_correct(exact), *points);
}

}  // namespace tessera::cli
