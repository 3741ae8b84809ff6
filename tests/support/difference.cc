#include "tests/support/difference.h"

#include <fmt/format.h>

#include <cmath>

namespace tessera::testing {

std::string difference(const Tensor& wanted, const Tensor& found, double tolerance) {
  if (wanted.dtype() != found.dtype() || wanted.shape() != found.shape())
    return fmt::format("wanted {}, found {}", describe(wanted), describe(found));
  const Tensor a = wanted.cast(DType::kF64);
  const Tensor b = found.cast(DType::kF64);
  double largest = 0;
  for (const double x : a.data<double>())
    if (std::isfinite(x)) largest = std::max(largest, std::abs(x));
  const double most = info(wanted.dtype()).is_floating ? tolerance * (1 + largest) : 0;
  for (size_t i = 0; i < a.data<double>().size(); ++i) {
    const double x = a.data<double>()[i];
    const double y = b.data<double>()[i];
    if (x == y || (std::isnan(x) && std::isnan(y))) continue;
    if (!(std::abs(x - y) <= most))
      return fmt::format("element {} of {}: wanted {}, found {}, allowed is {}", i,
                         describe(wanted), x, y, most);
  }
  return {};
}

std::string logit_difference(const Tensor& wanted, const Tensor& found) {
  if (wanted.shape() != found.shape())
    return fmt::format("{} instead of {}", to_string(found.shape()), to_string(wanted.shape()));
  float largest = 0;
  for (const float logit : wanted.data<float>()) largest = std::max(largest, std::abs(logit));
  for (size_t i = 0; i < wanted.data<float>().size(); ++i) {
    const float difference = found.data<float>()[i] - wanted.data<float>()[i];
    if (!(std::abs(difference) <= 1e-4F * largest + 1e-5F))
      return fmt::format("logit {} is {}, wanted {}", i, found.data<float>()[i],
                         wanted.data<float>()[i]);
  }
  return {};
}

}  // namespace tessera::testing
