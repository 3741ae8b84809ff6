// How a learning rate changes from step to step: a number, or a schedule of
// tessera/train/schedules by name, with MindSpore's formulas.
//
//   0.01      cosine_decay(min_lr=1e-4,max_lr=0.05,step_per_epoch=10,decay_epoch=6)
//   warmup(learning_rate=0.1,warmup_steps=500) for 500 then exponential_decay(learning_rate=0.1)
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tessera/graph/attrs.h"

namespace tessera {

struct ScheduleDef {
  std::string_view name;  // filled in by the registry: the name of the file
  std::string_view mindspore_name;
  std::string_view doc;  // one sentence, with the formula
  std::vector<AttrDef> options;
  void (*check)(const Attrs& options) = nullptr;  // throws kInvalidArgument; may be null
  double (*rate)(const Attrs& options, int64_t step) = nullptr;  // of step 0, 1, …
};

std::span<const ScheduleDef> all_schedules();

class Schedule {
 public:
  Schedule() = default;  // always 0
  explicit Schedule(double rate) : parts_({{nullptr, {}, rate, -1}}) {}

  /// The learning rate of a step, counted from 0.
  double rate(int64_t step) const;
  bool is_constant() const { return parts_.size() == 1 && parts_[0].schedule == nullptr; }

 private:
  friend Schedule parse_schedule(std::string_view text);
  struct Part {
    const ScheduleDef* schedule = nullptr;  // null: `constant`
    Attrs options;
    double constant = 0;
    int64_t steps = -1;  // how many; -1: all that follow
  };
  std::vector<Part> parts_;
};

/// Throws kInvalidArgument, naming the schedules that there are or their options.
Schedule parse_schedule(std::string_view text);

}  // namespace tessera
