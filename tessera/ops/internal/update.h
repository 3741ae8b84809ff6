// What the ops that optimizers are made of share: one function of one element, run over all of
// them. Operands are the parameter, its gradient, what the optimizer keeps (kStates tensors alike),
// then scalars, the learning rate first; results are the parameter and what is kept, as they are
// after the step. A rate that is no number leaves all as it is: so a step is left out whose loss or
// gradients are none.
#pragma once

#include <array>
#include <cmath>
#include <cstring>
#include <string>

#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/numeric.h"

namespace tessera::internal {

/// One element of a parameter, to be changed in place.
template <typename T, size_t kStates>
struct UpdatedElement {
  T parameter;
  T gradient;  // with weight decay
  std::array<T, kStates> states;
};

/// Scalar operand `i`, of any floating-point dtype.
inline double scalar_operand(std::span<const Tensor> operands, size_t i) {
  return operands[i].cast(DType::kF64).data<double>()[0];
}

/// Calls step(UpdatedElement&) for every element, with numbers of T; what it leaves is written.
template <typename T, size_t kStates, typename Step>
void update_elements(std::span<const Tensor> operands, std::span<Tensor> results,
                     double weight_decay, const Step& step) {
  using Number = Wide<T>;
  const T* parameter = operands[0].data<T>().data();
  const T* gradient = operands[1].data<T>().data();
  std::array<const T*, kStates> states;
  std::array<T*, kStates> new_states;
  for (size_t s = 0; s < kStates; ++s) {
    states[s] = operands[2 + s].data<T>().data();
    new_states[s] = results[1 + s].mutable_data<T>().data();
  }
  T* new_parameter = results[0].mutable_data<T>().data();
  const auto decay = static_cast<Number>(weight_decay);
  const int64_t count = operands[0].size();
  if (std::isnan(scalar_operand(operands, 2 + kStates))) {
    std::memmove(new_parameter, parameter, static_cast<size_t>(operands[0].byte_count()));
    for (size_t s = 0; s < kStates; ++s)
      std::memmove(new_states[s], states[s], static_cast<size_t>(operands[0].byte_count()));
    return;
  }
  for (int64_t i = 0; i < count; ++i) {
    UpdatedElement<Number, kStates> element{widen(parameter[i]), widen(gradient[i]), {}};
    for (size_t s = 0; s < kStates; ++s) element.states[s] = widen(states[s][i]);
    if (weight_decay != 0) element.gradient += decay * element.parameter;
    step(element);
    new_parameter[i] = narrow<T>(element.parameter);
    for (size_t s = 0; s < kStates; ++s) new_states[s][i] = narrow<T>(element.states[s]);
  }
}

inline const AttrDef kWeightDecay = {"weight_decay", 0.0,
                                     "times the parameter, added to the gradient"};

/// What such an op's definition says beside its formula. `states` and `scalars` name its operands.
struct UpdateOp {
  std::string_view mindspore_name;
  std::string_view doc;
  std::vector<std::string_view> states;
  std::vector<std::string_view> scalars;
  std::vector<AttrDef> attrs;
  Kernel kernel;
  std::vector<Attrs> examples;  // attributes of further examples
};
OpDef update_op(const UpdateOp& op);

}  // namespace tessera::internal
