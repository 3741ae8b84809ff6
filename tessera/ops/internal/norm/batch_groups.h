// What the parts of batch norm in training share: x is [n,c,...], statistics are [groups,c], each
// group is as many rows of the whole x.
#pragma once

#include <string>
#include <vector>

#include "tessera/ops/internal/axis.h"
#include "tessera/ops/internal/numeric.h"

namespace tessera::internal {

/// The attribute of all of them.
AttrDef groups_attr();
AttrDef norm_epsilon_attr();

/// The words of their rules: "(r=2 n) d1 d2" for x, "r d1" for statistics.
struct BatchWords {
  std::string x;
  std::string made;  // statistics as results
  std::string read;  // statistics as operands
};
BatchWords batch_words(const OpCall& call);

/// Throws kInvalidArgument unless x is [n,c,...] of whole groups.
void check_batch_groups(const OpCall& call);
/// The same, and that the operand `gradient` is of x's shape.
void check_batch_gradient(const OpCall& call, size_t gradient);

/// x of operand 0 as it is here, and where the statistics of its rows lie in tensors of type
/// `statistics`.
class BatchRows {
 public:
  BatchRows(const OpCall& call, const TensorType& statistics);

  int64_t rows() const { return view_.outer; }
  int64_t channels() const { return view_.extent; }
  int64_t inner() const { return view_.inner; }
  /// Elements that one mean is over, in the whole x.
  double count() const { return count_; }
  /// Where the statistics of a row's channel 0 lie.
  int64_t statistics_of(int64_t row) const {
    return ((first_ + row) / per_group_ - first_group_) * view_.extent;
  }
  int64_t groups() const { return groups_; }  // of which rows are here

  /// Calls visit(at, statistics) for every row and channel: the plane of x that begins at
  /// `at` belongs to element `statistics`.
  template <typename Visit>
  void each_plane(Visit visit) const {
    for (int64_t n = 0; n < rows(); ++n)
      for (int64_t c = 0; c < channels(); ++c)
        visit((n * channels() + c) * inner(), statistics_of(n) + c);
  }

 private:
  AxisView view_;
  int64_t first_;        // row of the whole x
  int64_t per_group_;    // rows
  int64_t first_group_;  // of the statistics that are here
  int64_t groups_;
  double count_;
};

}  // namespace tessera::internal
