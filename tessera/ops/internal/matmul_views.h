// The matrices of a matmul call: how one of them lies, and where those of the batch begin.
#pragma once

#include "tessera/ops/internal/matrix.h"

namespace tessera::internal {

/// Of what is here of the operands.
struct MatmulViews {
  MatrixShape a;    // a vector is a row
  MatrixShape b;    // a vector is a column
  Shape batch;      // the result's dims before its matrices
  Shape a_strides;  // per batch dim, in elements; 0 where a is broadcast
  Shape b_strides;

  explicit MatmulViews(const OpCall& call);
};

}  // namespace tessera::internal
