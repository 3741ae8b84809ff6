#include "tessera/graph/gradient.h"
#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/lookup.h"
#include "tessera/ops/ops.h"

namespace tessera {
namespace {

void embedding_cpu(const OpCall& call, std::span<const Tensor> operands,
                   std::span<Tensor> results) {
  internal::look_up(call, {.table = 1, .indices = 0, .axis = 0}, operands, results);
}

}  // namespace

TESSERA_OP(embedding) {
  return {
      .mindspore_name = "Embedding",
      .doc = "y[...,d] = table[indices[...],d]; an index outside [-v,v) is an error.",
      .operands = {{"indices", DTypes::kIndex}, {"table", DTypes::kNumber}},
      .rule = OpDef::fixed_rule("..., v d -> ... d"),
      .result_dtypes =
          [](const OpCall& call) { return std::vector<DType>{call.operands[1].dtype}; },
      .gradient = [](const GradientCall& call) -> Gradients {
        return {std::nullopt, embedding_grad(call.operands[0], call.gradient(),
                                             {{"rows", call.operands[1].shape()[0]}})};
      },
      .kernels = {reference(embedding_cpu)},
      .examples =
          {{.shapes = {{2, 4}, {7, 3}}, .dtypes = {DType::kI32, DType::kF32}, .index_limit = 7},
           {.shapes = {{5}, {4, 6}}, .dtypes = {DType::kI64, DType::kF32}, .index_limit = 4}},
  };
}

}  // namespace tessera
