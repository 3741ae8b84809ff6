// What add, sub and mul share: everything but the sign.
#pragma once

#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/elementwise.h"
#include "tessera/ops/internal/gradients.h"
#include "tessera/ops/ops.h"

namespace tessera::internal {

/// An op of two numbers that broadcast from the right and are promoted.
inline OpDef arithmetic_op(std::string_view mindspore_name, std::string_view doc,
                           GradientFn gradient, Kernel kernel) {
  return {
      .mindspore_name = mindspore_name,
      .doc = doc,
      .operands = {{"a", DTypes::kMixed}, {"b", DTypes::kMixed}},
      .rule = OpDef::fixed_rule("..., ... -> ..."),
      .result_dtypes = promoted_dtype,
      .gradient = gradient,
      .kernels = {kernel},
      .examples = {{{{5, 7}, {5, 7}}},
                   {{{2, 3, 4}, {3, 1}}},
                   {{{4, 1, 3}, {2, 1}}},
                   {{{3, 4}, {}}},
                   {.shapes = {{6, 2}, {2}}, .dtypes = {DType::kI32, DType::kI32}},
                   {.shapes = {{2, 3}, {3}}, .dtypes = {DType::kF16, DType::kF32}}},
  };
}

}  // namespace tessera::internal
