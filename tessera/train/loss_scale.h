// The factor by which a loss is multiplied before its gradients are computed, so that small dtypes
// hold them; gradients are divided by it again. MindSpore's FixedLossScaleManager and
// DynamicLossScaleManager by name:
//
//   fixed(loss_scale=128)      dynamic(init_loss_scale=16777216,scale_factor=2,scale_window=2000)
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tessera {

class LossScale {
 public:
  /// No scaling.
  LossScale() = default;

  bool is_used() const { return kind_ != Kind::kNone; }
  bool is_dynamic() const { return kind_ == Kind::kDynamic; }
  /// Whether a step whose gradients are no finite numbers is left out.
  bool drops_overflow() const { return drops_overflow_; }

  float scale() const { return scale_; }
  /// Steps so far, those that were left out among them, from 1: MindSpore's current_iterator_step.
  int32_t iteration() const { return iteration_; }
  int32_t last_overflow() const { return last_overflow_; }

  /// After every step. As MindSpore's DynamicLossScaleUpdateCell: an overflow divides a dynamic
  /// scale by the factor, not below 1; a window without one multiplies it, as long as it is finite.
  void update(bool overflowed);
  /// Goes on where another was.
  void restore(float scale, int32_t iteration, int32_t last_overflow);

 private:
  friend LossScale parse_loss_scale(std::string_view text);
  enum class Kind : uint8_t { kNone, kFixed, kDynamic };

  Kind kind_ = Kind::kNone;
  bool drops_overflow_ = true;
  float scale_ = 1;
  float factor_ = 2;
  int32_t window_ = 2000;
  int32_t iteration_ = 1;
  int32_t last_overflow_ = 0;
};

/// "" is no scaling, a number a fixed scale. Throws kInvalidArgument naming the options.
LossScale parse_loss_scale(std::string_view text);

}  // namespace tessera
