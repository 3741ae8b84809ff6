#include <cmath>

#include "tessera/model/internal/error_sum.h"

namespace tessera {

MetricDef metric_mae() {
  return {.names = {"mae"},
          .notation = "mae",
          .doc = "sum of the absolute differences of all elements / number of rows",
          .make = [](const MetricArguments& arguments) {
            return internal::make_error_metric(
                arguments, [](double difference) { return std::abs(difference); });
          }};
}

}  // namespace tessera
