#include "tessera/model/eval_record.h"

#include <algorithm>
#include <cmath>

namespace tessera {

void EvalRecord::add(const EvalBatch& batch) {
  const Shape& shape = batch.outputs.shape();
  require(
      shape.size() == 2 && shape[1] > 0 && batch.labels.size() == shape[0],
      "a page about an evaluation needs outputs [n, classes] and a label for each, found {} and "
      "{}",
      describe(batch.outputs), describe(batch.labels));
  classes_ = shape[1];
  const auto width = static_cast<size_t>(classes_);
  const Tensor outputs = batch.outputs.cast(DType::kF32).contiguous();
  const auto labels = batch.labels.data<int32_t>();
  for (size_t i = 0; i < batch.rows.size(); ++i) {
    const auto row = outputs.data<float>().subspan(i * width, width);
    const auto top = std::max_element(row.begin(), row.end());
    const int64_t predicted = top - row.begin();
    const int64_t label = labels[i];
    require(label >= 0 && label < classes_, "row {} has label {}, the model has {} classes",
            batch.rows[i], label, classes_);
    ++pairs_[{label, predicted}];
    ++rows_;
    if (label == predicted) continue;
    double sum = 0;
    for (const float value : row) sum += std::exp(static_cast<double>(value - *top));
    const double margin = row[static_cast<size_t>(label)] - *top;
    const bool sound = std::isfinite(sum);  // not where outputs are no numbers
    keep(
        {batch.rows[i], label, predicted, sound ? 1 / sum : 0, sound ? std::exp(margin) / sum : 0});
  }
}

void EvalRecord::keep(const Mistake& mistake) {
  const auto surer = [](const Mistake& a, const Mistake& b) {
    return a.probability > b.probability || (a.probability == b.probability && a.row < b.row);
  };
  const auto place = std::upper_bound(mistakes_.begin(), mistakes_.end(), mistake, surer);
  if (place == mistakes_.end() && mistakes_.size() >= most_mistakes_) return;
  mistakes_.insert(place, mistake);
  if (mistakes_.size() > most_mistakes_) mistakes_.pop_back();
}

std::vector<ClassCounts> EvalRecord::counts() const {
  std::vector<ClassCounts> counts(static_cast<size_t>(classes_));
  for (const auto& [pair, rows] : pairs_) {
    counts[static_cast<size_t>(pair.first)].rows += rows;
    counts[static_cast<size_t>(pair.second)].predicted += rows;
    if (pair.first == pair.second) counts[static_cast<size_t>(pair.first)].correct += rows;
  }
  return counts;
}

}  // namespace tessera
