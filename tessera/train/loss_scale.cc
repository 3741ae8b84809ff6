#include "tessera/train/loss_scale.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "tessera/base/error.h"
#include "tessera/base/text.h"
#include "tessera/graph/options.h"

namespace tessera {
namespace {

float positive(const Attrs& options, std::string_view name, double least) {
  const double value = std::get<double>(options.find(name)->second);
  require(value >= least && std::isfinite(static_cast<float>(value)),
          "{} is {}, wants a number from {} on", name, value, least);
  return static_cast<float>(value);
}

}  // namespace

void LossScale::update(bool overflowed) {
  if (is_dynamic()) {
    const bool grows = iteration_ - last_overflow_ >= window_;
    if (overflowed || grows) last_overflow_ = iteration_;
    if (overflowed)
      scale_ = std::max(scale_ * (1 / factor_), 1.0F);
    else if (grows && std::isfinite(scale_ * factor_))
      scale_ *= factor_;
  }
  ++iteration_;
}

void LossScale::restore(float scale, int32_t iteration, int32_t last_overflow) {
  require(std::isfinite(scale) && scale > 0 && iteration >= 1,
          "a scale of {} after {} steps is none that training has saved", scale, iteration);
  if (is_dynamic()) scale_ = scale;
  iteration_ = iteration;
  last_overflow_ = last_overflow;
}

LossScale parse_loss_scale(std::string_view text) {
  static const std::array<AttrDef, 2> kFixed = {
      AttrDef{"loss_scale", 128.0, "the factor"},
      AttrDef{"drop_overflow_update", true, "whether a step with an overflow is left out"}};
  static const std::array<AttrDef, 3> kDynamic = {
      AttrDef{"init_loss_scale", 16777216.0, "the factor at first"},
      AttrDef{"scale_factor", 2.0, "by which an overflow divides it and a window multiplies it"},
      AttrDef{"scale_window", int64_t{2000}, "steps without an overflow until it grows"}};
  LossScale made;
  if (trim(text).empty()) return made;
  const ErrorContext context(
      [&] { return fmt::format("reading the scale of the loss '{}'", printable(text)); });
  std::string spelled(trim(text));
  if (parse_double(spelled)) spelled = fmt::format("fixed(loss_scale={})", spelled);
  const NamedOptions parts = split_options("scale", spelled);
  if (parts.name == "fixed") {
    const Attrs options = parse_options("loss scale 'fixed'", parts.inside, kFixed);
    made.kind_ = LossScale::Kind::kFixed;
    made.scale_ = positive(options, "loss_scale", 1);
    made.drops_overflow_ = std::get<bool>(options.at("drop_overflow_update"));
    return made;
  }
  require(parts.name == "dynamic", "'{}' is no scale of a loss; there are fixed, dynamic",
          printable(parts.name));
  const Attrs options = parse_options("loss scale 'dynamic'", parts.inside, kDynamic);
  made.kind_ = LossScale::Kind::kDynamic;
  made.scale_ = positive(options, "init_loss_scale", 1);
  made.factor_ = positive(options, "scale_factor", 1);
  const int64_t window = std::get<int64_t>(options.at("scale_window"));
  require(window >= 1 && window <= INT32_MAX, "scale_window is {}, wants 1 or more", window);
  made.window_ = static_cast<int32_t>(window);
  return made;
}

}  // namespace tessera
