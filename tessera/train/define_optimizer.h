// Included by the files in tessera/train/optimizers, each of which defines one optimizer named
// after the file.
#pragma once

#include "tessera/base/error.h"
#include "tessera/train/optimizer.h"

/// Begins the definition of an optimizer: a function that returns its OptimizerDef.
#define TESSERA_OPTIMIZER(optimizer) ::tessera::OptimizerDef define_optimizer_##optimizer()

namespace tessera::internal {

/// The options that every optimizer has.
AttrDef learning_rate(std::string_view value);
inline const AttrDef kDecay = {"weight_decay", 0.0,
                               "times the parameter, added to its gradient or step"};

/// Emits the op whose operands are the parameter, the gradient, the states, the rate and the
/// powers, with those of the optimizer's options that it has as attributes (`renamed`: the
/// attribute and the option), and the call's weight decay. Its results.
std::vector<Value> emit_update(
    std::string_view op, const UpdateCall& call,
    std::vector<std::pair<std::string_view, std::string_view>> renamed = {});

/// Refuses an option that is not in [0, limit).
void check_fraction(const Attrs& options, std::string_view name, double limit = 1);

}  // namespace tessera::internal
