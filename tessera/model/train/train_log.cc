#include "tessera/model/train/train_log.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <map>

#include "tessera/model/internal/page.h"
#include "tessera/model/report.h"

namespace tessera {
namespace {

using internal::card;

double rows_per_second(const StepReport& step) {
  return static_cast<double>(step.rows) / std::max(step.seconds, 1e-9);
}

/// One curve over the steps, as SVG. Long ones are thinned: of neighbouring steps the smallest and
/// the largest value are drawn.
class Curve {
 public:
  /// `unit`: what a value is of, for the last one's number.
  Curve(std::string_view name, std::vector<double> values, std::string_view unit = "step")
      : name_(name), unit_(unit), values_(std::move(values)) {
    const auto [low, high] = std::minmax_element(values_.begin(), values_.end());
    low_ = *low > 0 && *low < *high / 2 ? 0 : *low;
    high_ = *high > *low ? *high : *low + 1;
  }

  /// `means`: (step, value) of the curve drawn over it; may be empty.
  std::string svg(const std::vector<std::pair<double, double>>& means) const {
    std::string out = fmt::format(
        "<section>\n<h2>{}</h2>\n<div class=\"scroll\"><svg viewBox=\"0 0 {} {}\" role=\"img\" "
        "aria-label=\"{} from {:.5g} to {:.5g}\">\n",
        internal::html(name_), kWidth + 2 * kMargin, kHeight + 2 * kMargin, internal::html(name_),
        values_.front(), values_.back());
    for (int line = 0; line <= 4; ++line) {
      const double value = low_ + (high_ - low_) * line / 4;
      out += fmt::format(
          "<line x1=\"{0}\" x2=\"{1}\" y1=\"{2:.1f}\" y2=\"{2:.1f}\" stroke=\"var(--line)\"/>"
          "<text x=\"{3}\" y=\"{4:.1f}\" text-anchor=\"end\" font-size=\"11\" "
          "fill=\"var(--faint)\">{5:.4g}</text>\n",
          kMargin, kMargin + kWidth, y(value), kMargin - 6, y(value) + 4, value);
    }
    out += fmt::format(
        "<text x=\"{}\" y=\"{}\" text-anchor=\"end\" font-size=\"11\" fill=\"var(--faint)\">{} "
        "{}</text>\n",
        kMargin + kWidth, kHeight + kMargin + 18, unit_, values_.size());
    out += line(thinned(), "1", "0.55");
    if (means.size() > 1) out += line(means, "2.5", "1");
    return out + "</svg></div>\n</section>\n";
  }

 private:
  static constexpr int kWidth = 920, kHeight = 240, kMargin = 72;
  static constexpr size_t kMostPoints = 1200;

  double x(double step) const {
    const double last = std::max<double>(1, static_cast<double>(values_.size()) - 1);
    return kMargin + kWidth * step / last;
  }
  double y(double value) const { return kMargin + kHeight * (high_ - value) / (high_ - low_); }

  std::vector<std::pair<double, double>> thinned() const {
    std::vector<std::pair<double, double>> points;
    const size_t each = std::max<size_t>(1, 2 * values_.size() / kMostPoints);
    for (size_t i = 0; i < values_.size(); i += each) {
      const auto begin = values_.begin() + static_cast<std::ptrdiff_t>(i);
      const auto end = begin + static_cast<std::ptrdiff_t>(std::min(each, values_.size() - i));
      const auto [low, high] = std::minmax_element(begin, end);
      const auto add = [&](auto it) {
        points.emplace_back(static_cast<double>(it - values_.begin()), *it);
      };
      add(std::min(low, high));
      if (low != high) add(std::max(low, high));
    }
    return points;
  }

  std::string line(const std::vector<std::pair<double, double>>& points, std::string_view width,
                   std::string_view opacity) const {
    std::string out = fmt::format(
        "<polyline fill=\"none\" stroke=\"rgb(var(--hit))\" stroke-width=\"{}\" opacity=\"{}\" "
        "points=\"",
        width, opacity);
    for (const auto& [step, value] : points)
      out += fmt::format("{:.1f},{:.1f} ", x(step), y(std::clamp(value, low_, high_)));
    return out + "\"/>\n";
  }

  std::string_view name_;
  std::string_view unit_;
  std::vector<double> values_;
  double low_ = 0;
  double high_ = 1;
};

/// A curve for every metric that is a number.
std::string test_curves(std::span<const EvalPoint> tests) {
  std::string out;
  if (tests.size() < 2) return out;
  for (size_t i = 0; i < tests[0].report.metrics.size(); ++i) {
    if (!tests[0].report.metrics[i].is_number()) continue;
    std::vector<double> values;
    for (const EvalPoint& test : tests) values.push_back(test.report.metrics[i].values[0]);
    const std::string name = "Evaluated: " + tests[0].report.metrics[i].name;
    out += Curve(name, std::move(values), "evaluation").svg({});
  }
  return out;
}

}  // namespace

std::string train_page(std::string_view title, std::span<const StepReport> steps,
                       std::span<const EvalPoint> tests) {
  std::string page = internal::page_begin(title) + std::string(internal::kFactsEnd);
  if (steps.empty()) return page + "<p>No step was made.</p>\n" + std::string(internal::kPageEnd);
  std::vector<double> losses, rates, speeds, scales;
  struct Epoch {
    double sum = 0, steps = 0, place = 0;
  };
  std::map<int64_t, Epoch> epochs;
  double seconds = 0, waited = 0;
  for (const StepReport& step : steps) {
    Epoch& epoch = epochs[step.epoch];
    epoch.sum += step.loss;
    epoch.steps += 1;
    epoch.place += static_cast<double>(losses.size());
    losses.push_back(step.loss);
    rates.push_back(step.learning_rate);
    speeds.push_back(rows_per_second(step));
    scales.push_back(step.loss_scale);
    seconds += step.seconds;
    waited += step.wait_seconds;
  }
  std::vector<std::pair<double, double>> means;
  for (const auto& [number, epoch] : epochs)
    means.emplace_back(epoch.place / epoch.steps, epoch.sum / epoch.steps);
  page += "<section>\n<h2>Run</h2>\n<dl class=\"numbers\">\n";
  page += card("steps", std::to_string(steps.size()), fmt::format("{} epochs", epochs.size()));
  page += card("last loss", fmt::format("{:.5g}", losses.back()),
               fmt::format("mean of the last epoch {:.5g}", means.back().second));
  page +=
      card("time", fmt::format("{:.2f} s", seconds),
           fmt::format("{:.1f} % of it waiting for rows", 100 * waited / std::max(seconds, 1e-9)));
  if (!tests.empty())
    for (const MetricResult& metric : tests.back().report.metrics)
      if (metric.is_number())
        page += card(
            metric.name, fmt::format("{:.5g}", metric.values[0]),
            fmt::format("after epoch {}, {} rows", tests.back().epoch, tests.back().report.rows));
  page += "</dl>\n</section>\n";
  page += Curve("Loss", std::move(losses)).svg(means);
  page += test_curves(tests);
  page += Curve("Learning rate", std::move(rates)).svg({});
  if (std::ranges::any_of(scales, [](double scale) { return scale != 1; }))
    page += Curve("Loss scale", std::move(scales)).svg({});
  page += Curve("Rows per second", std::move(speeds)).svg({});
  return page + std::string(internal::kPageEnd);
}

TrainLog::TrainLog(std::filesystem::path csv, std::filesystem::path page, const EvaluateEach* tests)
    : csv_(std::move(csv)), page_(std::move(page)), tests_(tests) {}

TrainLog::~TrainLog() {
  if (out_ != nullptr) std::fclose(out_);
}

void TrainLog::begin(Trainer& trainer) {
  if (!page_.empty())  // a place that cannot be written is known before hours of training
    write_report(page_, train_page("Training " + to_string(trainer.model().spec()), {}));
  if (csv_.empty()) return;
  out_ = std::fopen(csv_.c_str(), "w");
  if (out_ == nullptr)
    fail(ErrorCode::kIo, "'{}' cannot be written: {}", csv_.string(), std::strerror(errno));
  fmt::print(
      out_,
      "epoch,step,global_step,loss,learning_rate,rows,seconds,wait_seconds,loss_scale,dropped");
  if (tests_ != nullptr)
    for (const std::string& name : tests_->names()) fmt::print(out_, ",\"eval_{}\"", name);
  fmt::print(out_, "\n");
}

void TrainLog::write(const StepReport& step, const EvalPoint* tested) {
  if (out_ == nullptr) return;
  fmt::print(out_, "{},{},{},{},{},{},{:.6f},{:.6f},{},{:d}", step.epoch, step.step,
             step.global_step, step.loss, step.learning_rate, step.rows, step.seconds,
             step.wait_seconds, step.loss_scale, step.is_dropped);
  if (tested != nullptr) {
    for (const MetricResult& metric : tested->report.metrics)
      fmt::print(out_, ",{}", metric.is_number() ? fmt::format("{}", metric.values[0]) : "");
  } else if (tests_ != nullptr) {
    fmt::print(out_, "{}", std::string(tests_->names().size(), ','));
  }
  fmt::print(out_, "\n");
  if (std::fflush(out_) != 0)
    fail(ErrorCode::kIo, "'{}' cannot be written: {}", csv_.string(), std::strerror(errno));
}

void TrainLog::step_end(Trainer& /*trainer*/, const StepReport& step) {
  if (!page_.empty()) steps_.push_back(step);
  const bool waits = tests_ != nullptr && step.step == step.steps_in_epoch;
  if (!waits) write(step, nullptr);  // else what is evaluated now belongs to it
}

void TrainLog::epoch_end(Trainer& /*trainer*/, const StepReport& last) {
  if (tests_ == nullptr) return;
  const bool is_tested = !tests_->points().empty() && tests_->points().back().epoch == last.epoch;
  write(last, is_tested ? &tests_->points().back() : nullptr);
}

void TrainLog::end(Trainer& trainer) {
  if (page_.empty()) return;
  const std::span<const EvalPoint> tests =
      tests_ == nullptr ? std::span<const EvalPoint>() : tests_->points();
  write_report(page_, train_page("Training " + to_string(trainer.model().spec()), steps_, tests));
}

}  // namespace tessera
