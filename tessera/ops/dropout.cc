#include "tessera/graph/gradient.h"
#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/moves/reshape.h"

namespace tessera {

TESSERA_OP(dropout) {
  return {
      .mindspore_name = "Dropout",
      .doc = "y = x: elements are dropped in training only.",
      .operands = {{"x", DTypes::kAny}},
      .attrs = {{"p", 0.5, "the probability that training drops an element"}},
      .rule = OpDef::fixed_rule("... -> ..."),
      .check =
          [](const OpCall& call) {
            const auto p = call.attr<double>("p");
            require(p >= 0 && p < 1, "p is {}, wants a probability below 1", p);
          },
      .gradient = [](const GradientCall& call) -> Gradients { return {call.gradient()}; },
      .is_view = true,
      .kernels = {reference(internal::copy_as_is)},
      .examples = {{{{5, 7}}, {{"p", 0.2}}}, {{{2, 3, 4}}}},
  };
}

}  // namespace tessera
