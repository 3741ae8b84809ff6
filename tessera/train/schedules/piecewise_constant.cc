#include "tessera/base/text.h"
#include "tessera/train/define_schedule.h"

namespace tessera {
namespace {

/// "0.1 0.01 0.001".
std::vector<double> rates_of(const Attrs& options) {
  std::vector<double> rates;
  for (const std::string_view word : split(std::get<std::string>(options.at("rates")), ' ')) {
    if (trim(word).empty()) continue;
    const std::optional<double> rate = parse_double(trim(word));
    require(rate && *rate >= 0, "'{}' among the rates is no learning rate", printable(word));
    rates.push_back(*rate);
  }
  return rates;
}

void check_piecewise(const Attrs& options) {
  const auto& milestone = std::get<Ints>(options.at("milestone"));
  const size_t rates = rates_of(options).size();
  require(rates == milestone.size() && rates > 0,
          "{} milestones and {} rates: wanted as many of both, each rate up to its milestone",
          milestone.size(), rates);
  for (size_t i = 0; i < milestone.size(); ++i)
    require(milestone[i] > (i == 0 ? 0 : milestone[i - 1]),
            "milestone {} is {}: they grow, from above 0", i, milestone[i]);
}

double piecewise_rate(const Attrs& options, int64_t step) {
  const auto& milestone = std::get<Ints>(options.at("milestone"));
  size_t i = 0;
  while (i + 1 < milestone.size() && step >= milestone[i]) ++i;
  return rates_of(options)[i];
}

}  // namespace
}  // namespace tessera

TESSERA_SCHEDULE(piecewise_constant) {
  using namespace tessera;
  return {.mindspore_name = "piecewise_constant_lr",
          .doc = "rates[i] for the steps before milestone[i], the last of them for ever after.",
          .options = {{"milestone", Ints{}, "the steps at which rates end", true},
                      {"rates", "", "as many, with blanks between them", true}},
          .check = check_piecewise,
          .rate = piecewise_rate};
}
