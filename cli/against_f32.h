// What a lower precision changes: the outputs of a model beside those of the same model in f32.
//
//   largest difference from f32: 0.0132 of outputs up to 11.2; the same first class in 31 of 32
//   rows
#pragma once

#include <optional>
#include <string>

#include "cli/output.h"
#include "tessera/model/model.h"

namespace tessera::cli {

class AgainstF32 {
 public:
  /// Nothing to compare where `model` runs in f32.
  AgainstF32(const Model& model, const RunOptions& run);

  bool is_asked() const { return exact_.has_value(); }
  /// Predicts `x` in f32 too and compares; gives the largest difference of these outputs.
  double add(const Tensor& x, const Tensor& outputs);
  std::string to_string() const;
  /// Fields of an open object.
  void append(Json& out) const;

 private:
  std::optional<Model> exact_;
  double difference_ = 0;
  double largest_ = 0;  // |output| in f32
  int64_t rows_ = 0;
  int64_t same_class_ = 0;
};

/// "accuracy 98.66 % in bf16, 98.67 % in f32: -0.01 percentage points".
std::string accuracy_difference(const EvalReport& report, const EvalReport& exact,
                                std::string_view precision);
/// In percentage points; nothing where no metric counts correct rows.
std::optional<double> accuracy_points(const EvalReport& report, const EvalReport& exact);

}  // namespace tessera::cli
