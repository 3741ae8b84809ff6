// What an evaluation gave row by row, as far as a page about it needs it: which class was taken for
// which, and the mistakes that the model was surest of.
//
//   EvalRecord record;
//   model.eval(rows, metrics, {.observe = [&](const EvalBatch& batch) { record.add(batch); }});
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "tessera/model/model.h"

namespace tessera {

/// A row whose largest output is not its label.
struct Mistake {
  int64_t row = 0;  // in the source
  int64_t label = 0;
  int64_t predicted = 0;
  double probability = 0;        // of the predicted class: softmax over all outputs
  double label_probability = 0;  // of the label
};

/// One class's rows.
struct ClassCounts {
  int64_t rows = 0;       // labelled so
  int64_t predicted = 0;  // taken for it
  int64_t correct = 0;    // both
};

class EvalRecord {
 public:
  /// Keeps so many mistakes.
  explicit EvalRecord(size_t mistakes = 24) : most_mistakes_(mistakes) {}

  /// Throws kInvalidArgument unless outputs are [n, classes] and every label is one of the classes.
  void add(const EvalBatch& batch);

  /// By label and prediction; pairs without rows are not in it.
  using Pairs = std::map<std::pair<int64_t, int64_t>, int64_t>;
  const Pairs& pairs() const { return pairs_; }
  int64_t class_count() const { return classes_; }
  int64_t row_count() const { return rows_; }
  std::vector<ClassCounts> counts() const;
  /// Surest first; of equal ones the lower row.
  std::span<const Mistake> mistakes() const { return mistakes_; }

 private:
  void keep(const Mistake& mistake);

  size_t most_mistakes_;
  int64_t classes_ = 0;
  int64_t rows_ = 0;
  Pairs pairs_;
  std::vector<Mistake> mistakes_;
};

}  // namespace tessera
