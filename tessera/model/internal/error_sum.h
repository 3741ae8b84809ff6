// What mae and mse share: a sum over all elements, divided by the number of rows.
#pragma once

#include <memory>

#include "tessera/model/metric.h"

namespace tessera::internal {

/// measure(label - output) summed over the elements of every batch / the labels' first extents.
std::unique_ptr<Metric> make_error_metric(const MetricArguments& arguments,
                                          double (*measure)(double difference));

}  // namespace tessera::internal
