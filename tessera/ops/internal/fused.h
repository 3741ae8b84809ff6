// The end that conv2d, dense and matmul share: activation(sum + bias + residual).
#pragma once

#include <optional>

#include "tessera/graph/op_call.h"
#include "tessera/ops/internal/activation.h"
#include "tessera/ops/internal/numeric.h"

namespace tessera::internal {

/// Operands 2 and 3 of a fusable op are bias and residual.
inline constexpr size_t kBiasOperand = 2;
inline constexpr size_t kResidualOperand = 3;

/// Whether more than the plain sum is computed: the sum must then be whole on every rank.
bool is_fused(const OpCall& call);

/// Ends sums of products, which are kept in double.
template <typename T>
class FusedEnd {
 public:
  FusedEnd(const OpCall& call, std::span<const Tensor> operands)
      : activation_(parse_activation(call.attr<std::string>("activation"))),
        alpha_(call.attr<double>("alpha")) {
    if (operands.size() > kBiasOperand) bias_ = operands[kBiasOperand].data<T>();
    if (operands.size() > kResidualOperand) residual_ = operands[kResidualOperand].data<T>();
  }
  /// The element at offset `at` of the result, which belongs to output channel `channel`.
  T operator()(double sum, int64_t channel, int64_t at) const {
    if (!bias_.empty()) sum += widen(bias_[static_cast<size_t>(channel)]);
    if (!residual_.empty()) sum += widen(residual_[static_cast<size_t>(at)]);
    return narrow<T>(activate(activation_, alpha_, sum));
  }

 private:
  Activation activation_;
  double alpha_;
  std::span<const T> bias_;
  std::span<const T> residual_;
};

}  // namespace tessera::internal
