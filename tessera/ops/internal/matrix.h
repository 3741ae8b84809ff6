// Matrices in memory, those of a matmul call, and products for the reference kernels of dense and
// matmul.
#pragma once

#include "tessera/ops/internal/fused.h"

namespace tessera::internal {

/// Element (row, column) lies at row * row_stride + column * column_stride.
struct MatrixShape {
  int64_t rows = 0;
  int64_t columns = 0;
  int64_t row_stride = 0;
  int64_t column_stride = 0;
};
template <typename T>
struct MatrixView : MatrixShape {
  const T* data = nullptr;

  explicit MatrixView(const MatrixShape& shape, const T* first = nullptr)
      : MatrixShape(shape), data(first) {}
};

/// out[i,j] = end(sum over k of a[i,k] * b[k,j]), row-major; `at` is the offset of `out` in the
/// whole result.
template <typename T>
void multiply(const MatrixView<T>& a, const MatrixView<T>& b, const FusedEnd<T>& end, T* out,
              int64_t at) {
  for (int64_t i = 0; i < a.rows; ++i) {
    for (int64_t j = 0; j < b.columns; ++j, ++at) {
      const T* x = a.data + i * a.row_stride;
      const T* y = b.data + j * b.column_stride;
      double sum = 0;
      for (int64_t k = 0; k < a.columns; ++k)
        sum += static_cast<double>(widen(x[k * a.column_stride])) * widen(y[k * b.row_stride]);
      out[i * b.columns + j] = end(sum, j, at);
    }
  }
}

/// The matrices of a matmul call, of what is here of its operands.
struct MatmulViews {
  MatrixShape a;    // a vector is a row
  MatrixShape b;    // a vector is a column
  Shape batch;      // the result's dims before its matrices
  Shape a_strides;  // per batch dim, in elements; 0 where a is broadcast
  Shape b_strides;

  explicit MatmulViews(const OpCall& call);
};

}  // namespace tessera::internal
