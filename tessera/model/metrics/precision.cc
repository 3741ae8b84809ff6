#include "tessera/model/internal/class_values.h"

namespace tessera {

MetricDef metric_precision() {
  return {.names = {"precision"},
          .notation = "precision[(multilabel,average=true)]",
          .doc =
              "per class, how many of the samples given a class are of it; per sample for "
              "multilabel; their mean with average",
          .options = {{"eval_type", "classification"}, {"average", "false"}},
          .make = [](const MetricArguments& arguments) {
            return internal::make_ratio_metric(arguments, internal::TruePositives::Of::kPredicted);
          }};
}

}  // namespace tessera
