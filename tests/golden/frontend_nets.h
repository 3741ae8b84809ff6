// The networks of ../shared/data/mindspore/frontend, built by Tessera's ops.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tessera/graph/graph.h"

namespace tessera::testing {

struct FrontendNet {
  std::string name;                             // of the recorded case
  std::function<Graph(bool is_sharded)> build;  // with the strategies of the case, or without any
  bool by_layouts = false;                      // they were given as layouts
};

std::vector<FrontendNet> frontend_nets();

/// neg(matmul(x, matmul_weight)); `strategy` may be empty.
Graph build_product(const Shape& x, const Shape& weight, bool transpose_b,
                    const std::string& strategy);

/// Two dense layers, fc1 and fc2, with relu between. Strategies in the order of the operators:
/// fc1's MatMul and BiasAdd, fc2's; "" and what the list lacks: none.
Graph build_dense_mlp(const std::vector<std::string>& strategies, int64_t rows = 16);

}  // namespace tessera::testing
