// An op's example made into a call: values for its operands, complete attributes, inferred results.
#pragma once

#include <string>
#include <vector>

#include "tessera/graph/op_def.h"

namespace tessera::testing {

struct ExampleCall {
  const OpDef* op = nullptr;
  Attrs attrs;
  std::vector<Tensor> operands;
  std::vector<TensorType> operand_types;
  std::vector<TensorType> result_types;

  OpCall call() const { return {operand_types, result_types, attrs, {}}; }
  /// "conv2d(f32[2,3,8,7], f32[4,3,3,3]) {groups=1, ...}".
  std::string text() const;
};

/// The same values every time. Floating-point operands are of `floating` where the example says
/// f32.
ExampleCall make_call(const OpDef& op, const OpExample& example, DType floating = DType::kF32);

/// The reference kernel's results. They are computed into memory with guards around it and twice,
/// over different garbage: fails the test when an element stays unwritten or a guard is touched.
std::vector<Tensor> run_reference(const OpDef& op, const OpCall& call,
                                  std::span<const Tensor> operands);

}  // namespace tessera::testing
