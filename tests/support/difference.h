// Compares a computed tensor with the one that was wanted.
#pragma once

#include <string>

#include "tessera/tensor/tensor.h"

namespace tessera::testing {

/// Empty, or where and how far `found` differs: by more than `tolerance` * (1 + the largest finite
/// magnitude of `wanted`); exactly for integers and bool. NaN equals NaN.
std::string difference(const Tensor& wanted, const Tensor& found, double tolerance);

/// Empty, or which logit is further from the wanted one than 1e-4 of the largest one and 1e-5.
std::string logit_difference(const Tensor& wanted, const Tensor& found);

}  // namespace tessera::testing
