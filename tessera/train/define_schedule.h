// Included by the files in tessera/train/schedules, each of which defines one schedule named after
// the file.
#pragma once

#include <cmath>
#include <numbers>
#include <utility>

#include "tessera/base/error.h"
#include "tessera/train/schedule.h"

/// Begins the definition of a schedule: a function that returns its ScheduleDef.
#define TESSERA_SCHEDULE(schedule) ::tessera::ScheduleDef define_schedule_##schedule()

namespace tessera::internal {

inline double number(const Attrs& options, std::string_view name) {
  return std::get<double>(options.find(name)->second);
}
inline int64_t integer(const Attrs& options, std::string_view name) {
  return std::get<int64_t>(options.find(name)->second);
}
/// The epoch of a step, by the option step_per_epoch.
inline double epoch_of(const Attrs& options, int64_t step) {
  return static_cast<double>(step / integer(options, "step_per_epoch"));
}
/// Refuses options of these names that are not above 0.
inline void check_positive(const Attrs& options, std::initializer_list<std::string_view> names) {
  for (const std::string_view name : names) {
    const Attr& value = options.find(name)->second;
    const auto* count = std::get_if<int64_t>(&value);
    require(count != nullptr ? *count > 0 : std::get<double>(value) > 0,
            "{} is {}, wants a number above 0", name, to_string(value));
  }
}

inline const AttrDef kStepsPerEpoch = {"step_per_epoch", int64_t{1}, "how many steps an epoch has"};

/// How often decay_epoch epochs have passed before a step; with is_stair whole times only.
inline double decay_units(const Attrs& options, int64_t step) {
  const double units =
      epoch_of(options, step) / static_cast<double>(integer(options, "decay_epoch"));
  return std::get<bool>(options.find("is_stair")->second) ? std::floor(units) : units;
}

/// A schedule of learning_rate, decay_rate, decay_epoch, is_stair and step_per_epoch.
inline ScheduleDef decay(std::string_view mindspore_name, std::string_view doc, AttrDef decay_rate,
                         double (*rate)(const Attrs& options, int64_t step)) {
  return {.mindspore_name = mindspore_name,
          .doc = doc,
          .options = {{"learning_rate", 0.1, "at first"},
                      std::move(decay_rate),
                      {"decay_epoch", int64_t{1}, "epochs after which it has decayed once"},
                      {"is_stair", false, "whether it falls at once every decay_epoch epochs"},
                      kStepsPerEpoch},
          .check =
              [](const Attrs& options) {
                check_positive(options,
                               {"learning_rate", "decay_rate", "decay_epoch", "step_per_epoch"});
              },
          .rate = rate};
}

}  // namespace tessera::internal
