// Kernels that run an elementwise op's reference function on parts of its operands, each part on a
// thread: for ops that memory bounds. Operands of one element go to every part; results may lie
// where their operands lie, which for ops of tessera/ops/internal/update.h are operand 0 for result
// 0 and operand 1 + r for result r.
#pragma once

#include <algorithm>

#include "tessera/ops/define_op.h"

namespace tessera::internal {

/// The name of an op as a template argument.
template <size_t kSize>
struct Name {
  char text[kSize];
  explicit consteval Name(const char (&from)[kSize]) { std::copy_n(from, kSize, text); }
};

std::unique_ptr<PreparedKernel> prepare_in_threads(std::string_view op, const OpCall& call);

template <Name kOp>
Kernel in_threads() {
  return {.name = "threads",
          .supports = [](const OpCall&) { return Support::yes(); },
          .prepare = [](const OpCall& call,
                        const Formats&) { return prepare_in_threads(kOp.text, call); },
          .position_independent = true};
}

}  // namespace tessera::internal
