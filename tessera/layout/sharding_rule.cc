#include "tessera/layout/sharding_rule.h"

#include <fmt/format.h>

#include <algorithm>

#include "tessera/base/error.h"
#include "tessera/base/shown.h"
#include "tessera/base/text.h"

namespace tessera {
namespace {

constexpr int64_t kUnknown = -1;

/// One mention of a factor: "[max:c=4]".
struct FactorText {
  std::string name;
  int64_t extent = kUnknown;
  bool whole = false;
  std::optional<ReduceOp> reduce;
};

/// One dim as written: "...", "1" (no factors), "n" or "(g i)".
struct DimText {
  bool ellipsis = false;
  std::vector<FactorText> factors;
};
using DimTexts = std::vector<DimText>;

/// Reads the dims of one operand or result.
class DimReader {
 public:
  DimReader(std::string_view rule, std::string_view text) : rule_(rule), rest_(text) {}

  DimTexts read() {
    DimTexts dims;
    for (skip_spaces(); !rest_.empty(); skip_spaces()) dims.push_back(read_dim());
    const auto ellipses =
        std::count_if(dims.begin(), dims.end(), [](const DimText& dim) { return dim.ellipsis; });
    check(ellipses <= 1, "'...' may come once per operand");
    return dims;
  }

 private:
  void check(bool condition, std::string_view wanted) const {
    require(condition, "rule '{}' at '{}': {}", shown_text(rule_), shown_text(rest_), wanted);
  }
  void skip_spaces() { rest_.remove_prefix(std::min(rest_.find_first_not_of(' '), rest_.size())); }
  bool take(std::string_view word) {
    if (!rest_.starts_with(word)) return false;
    rest_.remove_prefix(word.size());
    return true;
  }

  DimText read_dim() {
    DimText dim;
    if (take("...")) {
      dim.ellipsis = true;
    } else if (take("(")) {
      for (skip_spaces(); !take(")"); skip_spaces()) dim.factors.push_back(read_factor());
      check(!dim.factors.empty(), "'()' holds no factor");
    } else if (rest_.starts_with('1')) {
      rest_.remove_prefix(1);
    } else {
      dim.factors.push_back(read_factor());
    }
    check(rest_.empty() || rest_.front() == ' ', "dims are separated by spaces");
    return dim;
  }

  FactorText read_factor() {
    FactorText factor;
    factor.whole = take("[");
    size_t end = std::min(rest_.find_first_of(" =()[],:"), rest_.size());
    for (const ReduceOp op : {ReduceOp::kSum, ReduceOp::kMax, ReduceOp::kMin}) {
      if (!rest_.substr(end).starts_with(':') || rest_.substr(0, end) != to_string(op)) continue;
      factor.reduce = op;
      rest_.remove_prefix(end + 1);
      end = std::min(rest_.find_first_of(" =()[],:"), rest_.size());
      break;
    }
    factor.name = rest_.substr(0, end);
    check(!factor.name.empty() && !(factor.name[0] >= '0' && factor.name[0] <= '9'),
          "a dim's name was expected");
    rest_.remove_prefix(end);
    if (take("=")) factor.extent = read_extent();
    if (factor.whole) check(take("]"), "']' was expected");
    return factor;
  }

  int64_t read_extent() {
    const size_t end = std::min(rest_.find_first_not_of("0123456789"), rest_.size());
    const auto extent = parse_int(rest_.substr(0, end));
    check(extent.has_value(), "an extent was expected after '='");
    rest_.remove_prefix(end);
    return *extent;
  }

  std::string_view rule_;
  std::string_view rest_;
};

std::vector<DimTexts> read_side(std::string_view rule, std::string_view side) {
  std::vector<DimTexts> tensors;
  for (const std::string_view part : split(side, ','))
    tensors.push_back(DimReader(rule, part).read());
  return tensors;
}

size_t named_count(const DimTexts& dims) {
  return static_cast<size_t>(
      std::count_if(dims.begin(), dims.end(), [](const DimText& dim) { return !dim.ellipsis; }));
}

bool has_ellipsis(const DimTexts& dims) {
  return named_count(dims) != dims.size();
}

/// Fits what was written to the operands' shapes.
class RuleFitter {
 public:
  RuleFitter(std::string_view text, std::span<const Shape> shapes) : text_(text), shapes_(shapes) {}

  ShardingRule fit() {
    const size_t arrow = text_.find("->");
    require(arrow != std::string_view::npos, "rule '{}' has no '->'", shown_text(text_));
    const std::vector<DimTexts> operands = read_side(text_, text_.substr(0, arrow));
    const std::vector<DimTexts> results = read_side(text_, text_.substr(arrow + 2));
    require(operands.size() == shapes_.size(), "rule '{}' has {} operands, the call has {}",
            shown_text(text_), operands.size(), shapes_.size());
    find_unnamed(operands);
    for (size_t i = 0; i < operands.size(); ++i)
      rule_.operands.push_back(name_dims(operands[i], &shapes_[i]));
    for (const DimTexts& result : results) rule_.results.push_back(name_dims(result, nullptr));
    solve();
    return std::move(rule_);
  }

 private:
  /// Measures what "..." stands for: extents of all operands broadcast from the right.
  void find_unnamed(const std::vector<DimTexts>& operands) {
    for (size_t i = 0; i < operands.size(); ++i) {
      const size_t named = named_count(operands[i]);
      const size_t ndim = shapes_[i].size();
      const bool open = has_ellipsis(operands[i]);
      require(open ? ndim >= named : ndim == named, "operand {} is {}, rule '{}' wants {}{} dims",
              i, shown(shapes_[i]), shown_text(text_), open ? "at least " : "", named);
      if (!open) continue;
      any_unnamed_ = true;
      size_t at = 0;
      while (!operands[i][at].ellipsis) ++at;
      const size_t count = ndim - named;
      if (unnamed_.size() < count)
        unnamed_.insert(unnamed_.begin(), count - unnamed_.size(), kUnknown);
      for (size_t k = 0; k < count; ++k) broadcast(i, at + k, unnamed_.size() - count + k);
    }
  }

  void broadcast(size_t operand, size_t dim, size_t position) {
    int64_t& extent = unnamed_[position];
    const int64_t found = shapes_[operand][dim];
    if (extent == kUnknown || extent == 1) {
      extent = found;
      return;
    }
    require(found == 1 || found == extent,
            "dim {} of operand {} is {}, which does not broadcast with the {} before it", dim,
            operand, found, extent);
  }

  ShardingRule::Dims name_dims(const DimTexts& texts, const Shape* shape) {
    require(any_unnamed_ || !has_ellipsis(texts), "rule '{}': no operand says what '...' is",
            shown_text(text_));
    ShardingRule::Dims dims;
    const size_t count = shape != nullptr && has_ellipsis(texts)
                             ? shape->size() - named_count(texts)
                             : unnamed_.size();
    for (const DimText& text : texts) {
      if (text.ellipsis) {
        for (size_t k = unnamed_.size() - count; k < unnamed_.size(); ++k)
          dims.push_back(unnamed_dim(k, shape == nullptr ? kUnknown : (*shape)[dims.size()]));
        continue;
      }
      std::vector<FactorId>& ids = dims.emplace_back();
      for (const FactorText& factor : text.factors) ids.push_back(mention(factor));
    }
    check_distinct(dims);
    return dims;
  }

  std::vector<FactorId> unnamed_dim(size_t position, int64_t found) {
    if (found == 1 && unnamed_[position] != 1) return {};
    FactorText factor;
    factor.name = fmt::format(".{}", position);
    factor.extent = unnamed_[position];
    return {mention(factor)};
  }

  FactorId mention(const FactorText& text) {
    const auto same = [&](const ShardingRule::Factor& factor) { return factor.name == text.name; };
    const auto it = std::find_if(rule_.factors.begin(), rule_.factors.end(), same);
    const auto id = static_cast<FactorId>(it - rule_.factors.begin());
    if (it == rule_.factors.end()) rule_.factors.push_back({.name = text.name, .extent = kUnknown});
    ShardingRule::Factor& factor = rule_.factors[static_cast<size_t>(id)];
    factor.whole |= text.whole;
    if (text.reduce) factor.reduce = *text.reduce;
    if (text.extent != kUnknown) {
      require(factor.extent == kUnknown || factor.extent == text.extent,
              "rule '{}' says {}={} and {}={}", shown_text(text_), factor.name, factor.extent,
              factor.name, text.extent);
      factor.extent = text.extent;
    }
    return id;
  }

  void check_distinct(const ShardingRule::Dims& dims) const {
    std::vector<bool> seen(rule_.factors.size(), false);
    for (const auto& dim : dims) {
      for (const FactorId f : dim) {
        const auto at = static_cast<size_t>(f);
        require(!seen[at], "rule '{}' has '{}' twice in one tensor", shown_text(text_),
                rule_.factors[at].name);
        seen[at] = true;
      }
    }
  }

  /// Finds the extents that are not written from the operands' shapes, dim by dim until no dim
  /// tells more.
  void solve() {
    bool changed = true;
    while (changed) {
      changed = false;
      for (size_t i = 0; i < shapes_.size(); ++i)
        for (size_t d = 0; d < shapes_[i].size(); ++d) changed |= solve_dim(i, d);
    }
    for (const ShardingRule::Factor& factor : rule_.factors)
      require(factor.extent != kUnknown,
              "rule '{}': nothing says how large '{}' is; write '{}=' and its extent",
              shown_text(text_), factor.name, factor.name);
  }

  bool solve_dim(size_t operand, size_t dim) {
    const int64_t found = shapes_[operand][dim];
    const std::vector<FactorId>& ids = rule_.operands[operand][dim];
    require(!ids.empty() || found == 1, "dim {} of operand {} is {}, rule '{}' wants 1", dim,
            operand, found, shown_text(text_));
    ShardingRule::Factor* unknown = nullptr;
    int64_t known = 1;
    for (const FactorId f : ids) {
      ShardingRule::Factor& factor = rule_.factors[static_cast<size_t>(f)];
      if (factor.extent != kUnknown) {
        known = checked_product(known, factor.extent);
      } else if (unknown == nullptr) {
        unknown = &factor;
      } else {
        return false;
      }
    }
    if (unknown == nullptr) {
      if (known == found) return false;
      fail(ErrorCode::kInvalidArgument, "dim '{}' is {} in operand {} but {} before it",
           name_of(operand, dim), found, operand, known);
    }
    if (known == 0 || found % known != 0) {
      fail(ErrorCode::kInvalidArgument, "dim '{}' of operand {} is {}, not a multiple of {}",
           name_of(operand, dim), operand, found, known);
    }
    unknown->extent = found / known;
    return true;
  }

  std::string name_of(size_t operand, size_t dim) const {
    std::string name;
    for (const FactorId f : rule_.operands[operand][dim])
      name += (name.empty() ? "" : " ") + rule_.factors[static_cast<size_t>(f)].name;
    return name;
  }

  std::string_view text_;
  std::span<const Shape> shapes_;
  std::vector<int64_t> unnamed_;
  bool any_unnamed_ = false;
  ShardingRule rule_;
};

std::string factor_text(const ShardingRule& rule, FactorId id, bool with_reduce) {
  const ShardingRule::Factor& factor = rule.factors[static_cast<size_t>(id)];
  std::string text = fmt::format("{}={}", factor.name, factor.extent);
  if (with_reduce && factor.reduce != ReduceOp::kSum)
    text = fmt::format("{}:{}", to_string(factor.reduce), text);
  return factor.whole ? "[" + text + "]" : text;
}

std::string dims_text(const ShardingRule& rule, const ShardingRule::Dims& dims, bool with_reduce) {
  std::string text;
  for (const auto& dim : dims) {
    if (!text.empty()) text += ' ';
    if (dim.empty()) text += '1';
    if (dim.size() > 1) text += '(';
    for (size_t f = 0; f < dim.size(); ++f)
      text += (f > 0 ? " " : "") + factor_text(rule, dim[f], with_reduce);
    if (dim.size() > 1) text += ')';
  }
  return text;
}

std::string side_text(const ShardingRule& rule, const std::vector<ShardingRule::Dims>& tensors,
                      bool with_reduce) {
  std::string text;
  for (size_t i = 0; i < tensors.size(); ++i)
    text += (i > 0 ? ", " : "") + dims_text(rule, tensors[i], with_reduce);
  return text;
}

/// The range [begin, begin + size) of one dim whose factors have these parts, or nothing when it is
/// not contiguous.
std::optional<FactorPart> range_of(const ShardingRule& rule, const std::vector<FactorId>& dim,
                                   std::span<const FactorPart> parts) {
  const auto is_missing = [&](FactorId f) { return parts[static_cast<size_t>(f)].size == 0; };
  if (std::any_of(dim.begin(), dim.end(), is_missing)) return FactorPart{0, 0};
  FactorPart range{0, 1};
  bool split = false;  // some more major factor has more than one index left
  for (const FactorId f : dim) {
    const auto at = static_cast<size_t>(f);
    const int64_t extent = rule.factors[at].extent;
    const FactorPart part = parts[at];
    if (split && part.size != extent) return std::nullopt;
    range.begin = range.begin * extent + part.begin;
    range.size *= part.size;
    split |= part.size > 1;
  }
  return range;
}

}  // namespace

ShardingRule parse_rule(std::string_view text, std::span<const Shape> operands) {
  return RuleFitter(text, operands).fit();
}

std::string to_string(const ShardingRule& rule) {
  return side_text(rule, rule.operands, true) + " -> " + side_text(rule, rule.results, false);
}

std::vector<Shape> result_shapes(const ShardingRule& rule) {
  std::vector<Shape> shapes;
  for (const ShardingRule::Dims& dims : rule.results) {
    Shape& shape = shapes.emplace_back();
    for (const auto& dim : dims) {
      int64_t extent = 1;
      for (const FactorId f : dim)
        extent = checked_product(extent, rule.factors[static_cast<size_t>(f)].extent);
      shape.push_back(extent);
    }
  }
  return shapes;
}

bool is_reduced(const ShardingRule& rule, FactorId factor) {
  for (const ShardingRule::Dims& dims : rule.results)
    for (const auto& dim : dims)
      if (std::find(dim.begin(), dim.end(), factor) != dim.end()) return false;
  return true;
}

FactorPart factor_part(int64_t extent, int64_t index, int64_t count) {
  require(count >= 1 && index >= 0 && index < count, "there is no part {} of {}", index, count);
  // extent * i / n without the overflow of the product.
  const auto cut = [&](int64_t i) { return extent / count * i + extent % count * i / count; };
  return {cut(index), cut(index + 1) - cut(index)};
}

std::optional<Box> box_of(const ShardingRule& rule, const ShardingRule::Dims& dims,
                          std::span<const FactorPart> parts) {
  Box box;
  for (const auto& dim : dims) {
    const auto range = range_of(rule, dim, parts);
    if (!range) return std::nullopt;
    box.begin.push_back(range->begin);
    box.size.push_back(range->size);
  }
  return box;
}

}  // namespace tessera
