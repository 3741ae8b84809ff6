#include "tessera/data/internal/arguments.h"

namespace tessera {
namespace {

std::unique_ptr<RowStep> bind(std::span<const TransformArgument> /*arguments*/,
                              const RowType& row) {
  return internal::relabel({row.dtype, {element_count(row.shape)}});
}

}  // namespace

TransformDef transform_flatten() {
  return {.notation = "flatten", .doc = "one dim that holds every element", .bind = bind};
}

}  // namespace tessera
