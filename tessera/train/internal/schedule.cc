#include "tessera/train/schedule.h"

#include "tessera/base/text.h"
#include "tessera/graph/options.h"
#include "tessera/train/define_schedule.h"

#define TESSERA_FILE(name) TESSERA_SCHEDULE(name);
#include "tessera/train_schedules_files.inc"
#undef TESSERA_FILE

namespace tessera {
namespace {

std::vector<ScheduleDef> make_schedules() {
  std::vector<ScheduleDef> schedules;
#define TESSERA_FILE(file)                         \
  schedules.push_back(::define_schedule_##file()); \
  schedules.back().name = #file;
#include "tessera/train_schedules_files.inc"
#undef TESSERA_FILE
  return schedules;
}

const ScheduleDef& require_schedule(std::string_view name) {
  std::vector<std::string> names;
  for (const ScheduleDef& schedule : all_schedules()) {
    if (schedule.name == name) return schedule;
    names.emplace_back(schedule.name);
  }
  fail(ErrorCode::kInvalidArgument,
       "'{}' is neither a number nor a schedule of learning rates{}; known: {}", printable(name),
       suggest(name, names), join(names, ", "));
}

}  // namespace

std::span<const ScheduleDef> all_schedules() {
  static const std::vector<ScheduleDef> schedules = make_schedules();
  return schedules;
}

double Schedule::rate(int64_t step) const {
  for (const Part& part : parts_) {
    if (part.steps >= 0 && step >= part.steps) {
      step -= part.steps;
      continue;
    }
    return part.schedule == nullptr ? part.constant : part.schedule->rate(part.options, step);
  }
  return 0;
}

Schedule parse_schedule(std::string_view text) {
  const ErrorContext context(
      [&] { return fmt::format("reading the learning rate '{}'", printable(text)); });
  Schedule made;
  for (std::string_view rest = text; !rest.empty();) {
    const size_t then = rest.find(" then ");
    std::string_view part = trim(rest.substr(0, then));
    rest = then == std::string_view::npos ? std::string_view() : rest.substr(then + 6);
    Schedule::Part& last = made.parts_.emplace_back();
    const size_t count = part.rfind(" for ");
    if (count != std::string_view::npos) {
      const std::optional<int64_t> steps = parse_int(trim(part.substr(count + 5)));
      require(steps && *steps >= 0, "'{}' is no number of steps",
              printable(trim(part.substr(count + 5))));
      last.steps = *steps;
      part = trim(part.substr(0, count));
    }
    require(rest.empty() == (last.steps < 0),
            "every schedule but the last says for how many steps it is: 'A for 500 then B'");
    if (const std::optional<double> number = parse_double(part)) {
      require(*number >= 0 && std::isfinite(*number), "a learning rate is 0 or more, got {}",
              *number);
      last.constant = *number;
      continue;
    }
    const NamedOptions named = split_options("schedule", part);
    last.schedule = &require_schedule(named.name);
    last.options = parse_options(fmt::format("schedule '{}'", named.name), named.inside,
                                 last.schedule->options);
    if (last.schedule->check != nullptr) last.schedule->check(last.options);
  }
  require(!made.parts_.empty(), "a learning rate is a number or a schedule");
  return made;
}

}  // namespace tessera
