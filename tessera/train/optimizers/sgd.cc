#include "tessera/train/define_optimizer.h"

namespace {

void check_sgd(const tessera::Attrs& options) {
  using namespace tessera;
  internal::check_fraction(options, "momentum", 1e30);
  internal::check_fraction(options, "dampening", 1e30);
  const bool nesterov = std::get<bool>(options.find("nesterov")->second);
  const double momentum = std::get<double>(options.find("momentum")->second);
  const double dampening = std::get<double>(options.find("dampening")->second);
  require(!nesterov || (momentum > 0 && dampening == 0),
          "nesterov needs a momentum above 0 and no dampening, got momentum {}, dampening {}",
          momentum, dampening);
}

}  // namespace

TESSERA_OPTIMIZER(sgd) {
  using namespace tessera;
  return {
      .mindspore_name = "SGD",
      .doc =
          "A step along the gradient, or along a moment of them whose first value is the first "
          "gradient.",
      .options = {internal::learning_rate("0.1"),
                  {"momentum", 0.0, "how much of the moment stays"},
                  {"dampening", 0.0, "of the gradient in the moment"},
                  {"nesterov", false, "looks one step ahead"},
                  internal::kDecay},
      .states =
          [](const Attrs&) {
            return std::vector<OptimizerState>{{"accum"}, {"stat", 1}};
          },
      .saved_options = {"momentum"},
      .check = check_sgd,
      .update = [](const UpdateCall& call) { return internal::emit_update("sgd_update", call); }};
}
