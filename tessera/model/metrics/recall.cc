#include "tessera/model/internal/class_values.h"

namespace tessera {

MetricDef metric_recall() {
  return {.names = {"recall"},
          .notation = "recall[(multilabel,average=true)]",
          .doc =
              "per class, how many of a class's samples are found; per sample for multilabel; "
              "their mean with average",
          .options = {{"eval_type", "classification"}, {"average", "false"}},
          .make = [](const MetricArguments& arguments) {
            return internal::make_ratio_metric(arguments, internal::TruePositives::Of::kActual);
          }};
}

}  // namespace tessera
