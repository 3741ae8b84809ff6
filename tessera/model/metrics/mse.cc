#include "tessera/model/internal/error_sum.h"

namespace tessera {

MetricDef metric_mse() {
  return {.names = {"mse"},
          .notation = "mse",
          .doc = "sum of the squared differences of all elements / number of rows",
          .make = [](const MetricArguments& arguments) {
            return internal::make_error_metric(
                arguments, [](double difference) { return difference * difference; });
          }};
}

}  // namespace tessera
