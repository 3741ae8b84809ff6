#include "tessera/data/internal/row_chain.h"

#include <algorithm>
#include <utility>

#include "tessera/data/internal/arguments.h"
#include "tessera/data/lines/line_steps.h"
#include "tessera/data/lines/table_steps.h"

namespace tessera::internal {
namespace {

using Steps = std::vector<std::shared_ptr<const RowStep>>;

void run_steps(const Steps& steps, std::span<const std::byte> row, std::span<std::byte> out,
               RowChain::Scratch& scratch) {
  for (size_t i = 0; i < steps.size(); ++i) {
    std::span<std::byte> to = out;
    if (i + 1 < steps.size()) {
      std::vector<std::byte>& half = scratch.halves[i % 2];
      half.resize(static_cast<size_t>(steps[i]->result().byte_count()));
      to = half;
    }
    steps[i]->run(row, to);
    row = to;
  }
}

/// `steps`, all elementwise, on unsigned bytes of `channels` channels as one table. They must have
/// been bound to rows [256, channels]. `planes`: the three channels go into planes.
std::shared_ptr<const RowStep> make_table(const Steps& steps, int64_t channels, bool planes,
                                          const RowType& result) {
  std::vector<std::byte> values(static_cast<size_t>(kByteValues * channels));
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<std::byte>(i / static_cast<size_t>(channels));
  const auto bytes = byte_size(result.dtype);
  std::vector<std::byte> table(values.size() * static_cast<size_t>(bytes));
  RowChain::Scratch scratch;
  run_steps(steps, values, table, scratch);
  return make_table_step(result, channels, planes, table);
}

/// [c,h,w] has as many dims as [h,w,c]: only the transforms before tell them apart.
void check_order(std::span<const Transform> transforms) {
  size_t planes = transforms.size();  // the transform that made them
  for (size_t i = 0; i < transforms.size(); ++i) {
    const TransformDef& def = *transforms[i].def;
    require(!def.takes_pixels || planes == transforms.size(),
            "{} (transform {}) works on rows [h,w,c], but {} (transform {}) has made them "
            "[c,h,w]; put it before",
            to_string(transforms[i]), i + 1, planes < i ? transforms[planes].def->name : "",
            planes + 1);
    if (def.gives_planes) planes = i;
  }
}

}  // namespace

RowChain::RowChain(std::span<const Transform> transforms, RowType row)
    : source_(row), result_(std::move(row)) {
  check_order(transforms);
  for (size_t i = 0; i < transforms.size();) {
    const RowType at = result_;
    const RowType values{DType::kU8, {kByteValues, channel_count(at)}};
    Steps direct;   // bound to the rows
    Steps tabular;  // bound to every value of a byte
    while (i < transforms.size()) {
      const ErrorContext context([&] {
        return fmt::format("applying {} to rows {}", to_string(transforms[i]), to_string(result_));
      });
      const auto& [def, arguments] = transforms[i];
      std::shared_ptr<const RowStep> step = def->bind(arguments, result_);
      const bool joins = at.dtype == DType::kU8 && step->kind() == RowStepKind::kElementwise;
      if (!joins && !direct.empty()) break;
      ++i;
      result_ = step->result();
      if (step->kind() == RowStepKind::kRelabel) break;
      direct.push_back(step);
      if (!joins) break;
      tabular.push_back(def->bind(arguments, tabular.empty() ? values : tabular.back()->result()));
    }
    if (direct.empty()) continue;
    if (!tabular.empty()) {
      const bool planes = i < transforms.size() && transforms[i].def->gives_planes &&
                          result_.shape.size() == 3 && result_.shape[2] == 3;
      const RowType joined =
          planes ? transforms[i].def->bind(transforms[i].arguments, result_)->result() : result_;
      if (auto table = make_table(tabular, values.shape[1], planes, joined)) {
        direct = {table};
        i += planes ? 1 : 0;
        result_ = joined;
      }
    }
    steps_.insert(steps_.end(), direct.begin(), direct.end());
  }
  for (size_t i = steps_.size(); i-- > 0;) {
    if (auto part = needed_ ? steps_[i]->for_part(*needed_) : nullptr) steps_[i] = part;
    needed_ = steps_[i]->needed(needed_);
  }
  join_lines();
}

/// Joins steps that work by lines, also across a cut between them: what is cut off is not made.
void RowChain::join_lines() {
  for (size_t i = 0; i + 1 < steps_.size(); ++i) {
    const Shape& made = steps_[i]->result().shape;
    if (made.size() != 3) continue;
    const bool is_cut = i + 2 < steps_.size() && steps_[i + 1]->kind() == RowStepKind::kCut;
    const size_t taker = i + (is_cut ? 2 : 1);
    const PixelBox part = is_cut ? *steps_[i + 1]->needed({}) : PixelBox{0, made[0], 0, made[1]};
    auto joined = join_by_lines(steps_[i], steps_[taker], part);
    if (joined == nullptr) continue;
    steps_[i] = std::move(joined);
    const auto behind = steps_.begin() + static_cast<std::ptrdiff_t>(i) + 1;
    steps_.erase(behind, behind + static_cast<std::ptrdiff_t>(taker - i));
  }
}

void RowChain::run(std::span<const std::byte> row, std::span<std::byte> out,
                   Scratch& scratch) const {
  if (steps_.empty())
    std::copy(row.begin(), row.end(), out.begin());
  else
    run_steps(steps_, row, out, scratch);
}

}  // namespace tessera::internal
