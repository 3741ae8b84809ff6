#include "cli/draw_slices.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace tessera::cli {
namespace {

constexpr size_t kMostRows = 24;
constexpr size_t kMostPictures = 4;
constexpr size_t kWidestCell = 24;
constexpr size_t kNone = SIZE_MAX;

/// The parts of one dim: begin -> end.
using Cuts = std::map<int64_t, int64_t>;

std::string range_text(std::pair<int64_t, int64_t> part) {
  const auto [begin, end] = part;
  return end - begin == 1 ? fmt::format("{}", begin) : fmt::format("{}..{}", begin, end - 1);
}

std::string repeat(std::string_view text, size_t count) {
  std::string out;
  for (size_t i = 0; i < count; ++i) out += text;
  return out;
}

/// Which of `count` rows or columns are drawn where `most` fit: all, or the first ones, a gap
/// (kNone) and the last.
std::vector<size_t> shown(size_t count, size_t most) {
  std::vector<size_t> indices;
  const size_t first = count <= most ? count : std::max<size_t>(most, 3) - 2;
  for (size_t i = 0; i < first; ++i) indices.push_back(i);
  if (first == count) return indices;
  indices.push_back(kNone);
  indices.push_back(count - 1);
  return indices;
}

/// Cells with borders; empty labels where a dim is not drawn.
struct Grid {
  std::vector<std::string> row_labels;
  std::vector<std::string> column_labels;
  std::vector<std::vector<std::string>> cells;
  std::string row_title;
  std::string column_title;

  std::vector<std::string> lines(size_t width) const;
};

std::string border(std::string_view left, std::string_view between, std::string_view right,
                   std::span<const size_t> widths) {
  std::string line(left);
  for (size_t i = 0; i < widths.size(); ++i)
    line += (i > 0 ? std::string(between) : "") + repeat("─", widths[i] + 2);
  return line + std::string(right);
}

std::vector<std::string> Grid::lines(size_t width) const {
  size_t margin = row_title.size(), cell = 1;
  for (const std::string& label : row_labels) margin = std::max(margin, label.size());
  for (const std::string& label : column_labels) cell = std::max(cell, label.size());
  for (const auto& row : cells)
    for (const std::string& text : row) cell = std::max(cell, text.size());
  const size_t room = width > margin + 2 ? width - margin - 2 : 0;
  const std::vector<size_t> columns = shown(column_labels.size(), room / (cell + 3));
  const std::vector<size_t> rows = shown(row_labels.size(), kMostRows);
  std::vector<size_t> widths;
  for (const size_t column : columns) widths.push_back(column == kNone ? 1 : cell);

  std::vector<std::string> lines;
  const std::string indent(margin + 3, ' ');
  if (!column_title.empty()) {
    lines.push_back(indent + column_title);
    std::string labels = indent;
    for (size_t i = 0; i < columns.size(); ++i)
      labels += columns[i] == kNone ? std::string("…   ")
                                    : fmt::format("{:<{}}   ", column_labels[columns[i]], cell);
    lines.push_back(labels.substr(0, labels.find_last_not_of(' ') + 1));
  }
  lines.push_back(fmt::format("{:<{}} {}", row_title, margin, border("┌", "┬", "┐", widths)));
  for (size_t r = 0; r < rows.size(); ++r) {
    const bool gap = rows[r] == kNone;
    if (r > 0 && columns.size() > 1)
      lines.push_back(std::string(margin + 1, ' ') + border("├", "┼", "┤", widths));
    std::string line =
        gap ? "⋮" + std::string(margin, ' ') : fmt::format("{:<{}} ", row_labels[rows[r]], margin);
    for (const size_t column : columns) {
      const bool no_text = gap || column == kNone;
      line += no_text ? "│ …" + std::string(column == kNone ? 1 : cell, ' ')
                      : fmt::format("│ {:<{}} ", cells[rows[r]][column], cell);
    }
    lines.push_back(line + "│");
  }
  lines.push_back(std::string(margin + 1, ' ') + border("└", "┴", "┘", widths));
  return lines;
}

class Picture {
 public:
  explicit Picture(std::span<const HeldPart> parts) : parts_(parts) {
    const size_t ndim = parts.empty() ? 0 : parts[0].box.size.size();
    cuts_.resize(ndim);
    for (const HeldPart& part : parts) {
      if (is_empty(part.box)) {
        idle_.push_back(part.rank);
        continue;
      }
      for (size_t d = 0; d < ndim; ++d)
        cuts_[d][part.box.begin[d]] = part.box.begin[d] + part.box.size[d];
    }
    choose_dims();
  }

  std::vector<std::string> draw(size_t width) const {
    std::vector<std::string> lines;
    std::map<std::vector<int64_t>, std::vector<const HeldPart*>> pictures;
    for (const HeldPart& part : parts_) {
      if (is_empty(part.box)) continue;
      std::vector<int64_t> key;
      for (const size_t d : others_) key.push_back(part.box.begin[d]);
      pictures[key].push_back(&part);
    }
    size_t drawn = 0;
    for (const auto& [key, held] : pictures) {
      if (drawn++ == kMostPictures) {
        lines.push_back(fmt::format("… and {} more like this", pictures.size() - kMostPictures));
        break;
      }
      std::string title;
      for (size_t i = 0; i < others_.size(); ++i)
        title += fmt::format("{}dim {}: {}", i > 0 ? ", " : "", others_[i],
                             range_text(*cuts_[others_[i]].find(key[i])));
      if (!title.empty()) lines.push_back(title);
      for (std::string& line : grid_of(held).lines(width)) lines.push_back(std::move(line));
    }
    if (!idle_.empty()) lines.push_back(fmt::format("nothing: {}", rank_list(idle_, width - 9)));
    return lines;
  }

 private:
  void choose_dims() {
    std::vector<size_t> cut;
    for (size_t d = 0; d < cuts_.size(); ++d)
      if (cuts_[d].size() > 1) cut.push_back(d);
    if (cut.size() == 1 && (cuts_.size() == 1 || cut[0] == 0)) {
      row_ = cut[0];
    } else if (cut.size() == 1) {
      column_ = cut[0];
    } else if (cut.size() > 1) {
      row_ = cut[0];
      column_ = cut[1];
    }
    for (const size_t d : cut)
      if (d != row_ && d != column_) others_.push_back(d);
  }

  size_t place(size_t dim, const HeldPart& part) const {
    if (dim == kNone) return 0;
    const Cuts& cuts = cuts_[dim];
    return static_cast<size_t>(std::distance(cuts.begin(), cuts.find(part.box.begin[dim])));
  }

  std::vector<std::string> labels(size_t dim) const {
    if (dim == kNone) return {""};
    std::vector<std::string> labels;
    for (const auto& part : cuts_[dim]) labels.push_back(range_text(part));
    return labels;
  }

  Grid grid_of(std::span<const HeldPart* const> held) const {
    Grid grid{labels(row_), labels(column_), {}, "", ""};
    if (row_ != kNone) grid.row_title = fmt::format("dim {}", row_);
    if (column_ != kNone) grid.column_title = fmt::format("dim {}", column_);
    std::vector<std::vector<std::vector<Rank>>> ranks(
        grid.row_labels.size(), std::vector<std::vector<Rank>>(grid.column_labels.size()));
    for (const HeldPart* part : held)
      ranks[place(row_, *part)][place(column_, *part)].push_back(part->rank);
    for (const auto& row : ranks) {
      std::vector<std::string>& cells = grid.cells.emplace_back();
      for (const std::vector<Rank>& cell : row) cells.push_back(rank_list(cell, kWidestCell));
    }
    return grid;
  }

  std::span<const HeldPart> parts_;
  std::vector<Cuts> cuts_;  // per dim
  std::vector<Rank> idle_;  // ranks whose part is empty
  size_t row_ = kNone;
  size_t column_ = kNone;
  std::vector<size_t> others_;
};

}  // namespace

std::string rank_list(std::span<const Rank> ranks, size_t limit) {
  std::string text;
  for (size_t i = 0; i < ranks.size();) {
    size_t end = i + 1;
    while (end < ranks.size() && ranks[end] == ranks[end - 1] + 1) ++end;
    if (end - i < 3) end = i + 1;
    const std::string more =
        end - i == 1 ? fmt::format("{}", ranks[i]) : fmt::format("{}-{}", ranks[i], ranks[end - 1]);
    const std::string rest = fmt::format(",+{}", ranks.size() - i);
    const size_t reserve = end < ranks.size() ? rest.size() : 0;
    if (i > 0 && text.size() + 1 + more.size() + reserve > limit) return text + rest;
    text += (i > 0 ? "," : "") + more;
    i = end;
  }
  return text;
}

std::vector<std::string> draw_slices(std::span<const HeldPart> parts, size_t width) {
  return Picture(parts).draw(width);
}

}  // namespace tessera::cli
