#include "tessera/ops/internal/moves/reshape.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "tessera/ops/internal/axis.h"

namespace tessera::internal {
namespace {

/// One side of the reshape: how much of its current dim is left, and the words so far.
class Side {
 public:
  Side(const Shape& shape, char prefix) : shape_(shape), prefix_(prefix) { open_next(); }

  bool at_end() const { return dim_ >= shape_.size(); }
  int64_t left() const { return left_; }

  /// Takes a factor that both sides share.
  void share(int64_t extent, int name) {
    factors_.push_back(fmt::format("f{}={}", name, extent));
    left_ /= extent;
    if (left_ == 1) close();
  }
  /// Makes what is left of the current dim a whole factor of this side alone.
  int64_t take_whole() {
    const int64_t taken = left_;
    factors_.push_back(fmt::format("[{}{}={}]", prefix_, dim_, taken));
    close();
    return taken;
  }
  std::string text() const { return spell(words_); }

 private:
  void open_next() {
    while (dim_ < shape_.size() && shape_[dim_] == 1) {
      words_.emplace_back("1");
      ++dim_;
    }
    left_ = dim_ < shape_.size() ? shape_[dim_] : 1;
  }
  void close() {
    words_.push_back(factors_.size() == 1 ? factors_[0] : "(" + spell(factors_) + ")");
    factors_.clear();
    ++dim_;
    open_next();
  }

  const Shape& shape_;
  char prefix_;
  size_t dim_ = 0;
  int64_t left_ = 1;
  std::vector<std::string> factors_;
  std::vector<std::string> words_;
};

/// Takes whole dims of both sides until they span the same number of elements.
void take_until_equal(Side& from, Side& to) {
  int64_t in = from.take_whole();
  int64_t out = to.take_whole();
  while (in != out) {
    if (in < out)
      in *= from.take_whole();
    else
      out *= to.take_whole();
  }
}

}  // namespace

std::string reshape_rule(const Shape& from, const Shape& to) {
  Side source(from, 'a');
  Side target(to, 'b');
  const bool is_empty = element_count(from) == 0;
  int shared = 0;
  while (!is_empty && !source.at_end() && !target.at_end()) {
    const int64_t common = std::gcd(source.left(), target.left());
    if (common > 1) {
      source.share(common, shared);
      target.share(common, shared);
      ++shared;
    } else {
      take_until_equal(source, target);
    }
  }
  while (!source.at_end()) source.take_whole();
  while (!target.at_end()) target.take_whole();
  return source.text() + " -> " + target.text();
}

void copy_as_is(const OpCall&, std::span<const Tensor> operands, std::span<Tensor> results) {
  const auto from = operands[0].bytes();
  std::copy(from.begin(), from.end(), results[0].mutable_bytes().begin());
}

}  // namespace tessera::internal
