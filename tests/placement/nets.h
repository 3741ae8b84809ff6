// The networks that placement is tried on, small enough to try everything.
#pragma once

#include <string>
#include <vector>

#include "tessera/graph/graph.h"

namespace tessera::testing {

/// "lenet5", "mlp", "tutorial" or "block" for a batch of `rows`, products and biases apart; for one
/// edge "neg_neg" and "product_product"; or a model of the zoo for images or, transformer, its
/// rows.
Graph make_net(const std::string& name, int64_t rows);
std::vector<std::string> net_names();

}  // namespace tessera::testing
