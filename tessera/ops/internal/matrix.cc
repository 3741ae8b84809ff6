#include "tessera/ops/internal/matrix.h"

#include "tessera/ops/internal/walk.h"

namespace tessera::internal {
namespace {

MatrixShape matrix_of(const Shape& shape, bool transposed, bool vector_is_row) {
  MatrixShape matrix;
  if (shape.size() == 1) {
    matrix.rows = vector_is_row ? 1 : shape[0];
    matrix.columns = vector_is_row ? shape[0] : 1;
  } else {
    matrix.rows = shape[shape.size() - 2];
    matrix.columns = shape.back();
  }
  matrix.row_stride = matrix.columns;
  matrix.column_stride = 1;
  if (!transposed) return matrix;
  return {matrix.columns, matrix.rows, 1, matrix.row_stride};
}

/// Where the matrices of an operand begin, for an index of the result's batch dims.
Shape batch_strides(const Shape& shape, const Shape& batch, const MatrixShape& matrix) {
  const Shape own = shape.size() <= 2 ? Shape{} : Shape(shape.begin(), shape.end() - 2);
  Shape strides = broadcast_strides(own, batch);
  for (int64_t& stride : strides) stride *= matrix.rows * matrix.columns;
  return strides;
}

}  // namespace

MatmulViews::MatmulViews(const OpCall& call)
    : a(matrix_of(call.shape(0), call.attr<bool>("transpose_a"), true)),
      b(matrix_of(call.shape(1), call.attr<bool>("transpose_b"), false)),
      batch(call.results[0].shape()) {
  if (call.shape(0).size() > 1) batch.pop_back();
  if (call.shape(1).size() > 1) batch.pop_back();
  a_strides = batch_strides(call.shape(0), batch, a);
  b_strides = batch_strides(call.shape(1), batch, b);
}

}  // namespace tessera::internal
