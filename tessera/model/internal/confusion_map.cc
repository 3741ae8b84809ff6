#include "tessera/model/internal/confusion_map.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "tessera/base/text.h"
#include "tessera/model/internal/page.h"

namespace tessera::internal {
namespace {

constexpr int64_t kMostTableClasses = 25;
constexpr int64_t kMostCells = 128;   // of a side of the drawing
constexpr int64_t kDrawing = 900;     // its side in pixels
constexpr int64_t kMargin = 130;      // for the names beside it
constexpr double kFaintest = 0.06;    // of a cell that is not empty
constexpr double kDeepestText = 0.6;  // below which text stays readable on a cell

/// How deep cells are coloured for their shares of their rows: those beside the diagonal against
/// the largest of them, or mistakes would all look alike; small shares stay visible.
class Depth {
 public:
  /// `rows` are the sums of the rows of `pairs`.
  Depth(const EvalRecord::Pairs& pairs, std::vector<int64_t> rows, double deepest)
      : rows_(std::move(rows)), deepest_(deepest) {
    for (const auto& [pair, count] : pairs)
      if (pair.first != pair.second) most_ = std::max(most_, share(pair.first, count));
  }
  double of(const std::pair<int64_t, int64_t>& pair, int64_t count) const {
    const double whole = pair.first == pair.second ? 1 : std::max(most_, 0.05);
    return kFaintest + (deepest_ - kFaintest) * std::sqrt(share(pair.first, count) / whole);
  }

 private:
  double share(int64_t row, int64_t count) const {
    return static_cast<double>(count) / static_cast<double>(rows_[static_cast<size_t>(row)]);
  }
  std::vector<int64_t> rows_;
  double deepest_;
  double most_ = 0;
};

std::string table(const EvalRecord& record, std::span<const std::string> names) {
  std::vector<int64_t> rows;
  for (const ClassCounts& counts : record.counts()) rows.push_back(counts.rows);
  const Depth depth(record.pairs(), std::move(rows), kDeepestText);
  std::string out =
      "<div class=\"scroll\"><table class=\"heat\"><caption>Rows: labels. Columns: predictions. "
      "A cell: how many rows.</caption>\n<thead><tr><th></th>";
  for (int64_t c = 0; c < record.class_count(); ++c)
    out += fmt::format("<th scope=\"col\">{}</th>", html(class_label(names, c)));
  out += "</tr></thead>\n<tbody>";
  for (int64_t label = 0; label < record.class_count(); ++label) {
    out += fmt::format("<tr><th scope=\"row\" class=\"name\">{}</th>",
                       html(class_label(names, label)));
    for (int64_t predicted = 0; predicted < record.class_count(); ++predicted) {
      const auto found = record.pairs().find({label, predicted});
      if (found == record.pairs().end()) {
        out += "<td class=\"none\">0</td>";
        continue;
      }
      out += fmt::format("<td class=\"{}\" style=\"--v:{:.2f}\">{}</td>",
                         label == predicted ? "hit" : "miss", depth.of(found->first, found->second),
                         found->second);
    }
    out += "</tr>\n";
  }
  return out + "</tbody></table></div>\n";
}

/// The classes of one row or column of the drawing.
struct Cells {
  int64_t classes;
  int64_t each;  // classes of one cell
  int64_t count;
  double side;  // in pixels

  explicit Cells(int64_t classes_of_all)
      : classes(classes_of_all),
        each((classes + kMostCells - 1) / kMostCells),
        count((classes + each - 1) / each),
        side(static_cast<double>(kDrawing) / static_cast<double>(count)) {}

  std::string name(std::span<const std::string> names, int64_t cell) const {
    const int64_t last = std::min(classes, (cell + 1) * each) - 1;
    if (each == 1) return class_label(names, cell);
    return fmt::format("{}–{}", cell * each, last);
  }
};

std::string axis_texts(const Cells& cells, std::span<const std::string> names) {
  constexpr size_t kMostText = 24;
  const int64_t step = std::max<int64_t>(1, static_cast<int64_t>(std::ceil(9.0 / cells.side)));
  std::string out;
  for (int64_t i = 0; i < cells.count; i += step) {
    const double middle = kMargin + (static_cast<double>(i) + 0.5) * cells.side;
    const std::string name = html(printable(cells.name(names, i), kMostText));
    out += fmt::format("<text x=\"{}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>", kMargin - 4,
                       middle + 3, name);
    out += fmt::format("<text transform=\"translate({:.1f},{}) rotate(-90)\">{}</text>\n",
                       middle + 3, kMargin - 4, name);
  }
  return out;
}

std::string drawing(const EvalRecord& record, std::span<const std::string> names) {
  const Cells cells(record.class_count());
  EvalRecord::Pairs sums;
  std::vector<int64_t> row_sums(static_cast<size_t>(cells.count));
  for (const auto& [pair, rows] : record.pairs()) {
    sums[{pair.first / cells.each, pair.second / cells.each}] += rows;
    row_sums[static_cast<size_t>(pair.first / cells.each)] += rows;
  }
  const int64_t side = kMargin + kDrawing + 2;
  std::string out = fmt::format(
      "<div class=\"scroll\"><svg class=\"heat\" viewBox=\"0 0 {} {}\" width=\"{}\" role=\"img\" "
      "aria-label=\"Confusion of {} classes, {} in a cell; the pairs taken for each other most are "
      "in the table below\">\n<rect class=\"frame\" x=\"{}\" y=\"{}\" width=\"{}\" "
      "height=\"{}\"/>\n<text class=\"axis\" x=\"4\" y=\"16\">label ↓ prediction →</text>\n",
      side, side, side, cells.classes, cells.each, kMargin, kMargin, kDrawing, kDrawing);
  out += axis_texts(cells, names);
  const Depth depth(sums, std::move(row_sums), 1);
  for (const auto& [pair, rows] : sums)
    out += fmt::format(
        "<rect class=\"{}\" fill-opacity=\"{:.2f}\" x=\"{:.2f}\" y=\"{:.2f}\" width=\"{:.2f}\" "
        "height=\"{:.2f}\"><title>{} taken for {}: {}</title></rect>\n",
        pair.first == pair.second ? "hit" : "miss", depth.of(pair, rows),
        kMargin + static_cast<double>(pair.second) * cells.side,
        kMargin + static_cast<double>(pair.first) * cells.side, cells.side, cells.side,
        html(cells.name(names, pair.first)), html(cells.name(names, pair.second)), rows);
  return out + "</svg></div>\n";
}

}  // namespace

std::string class_label(std::span<const std::string> names, int64_t index) {
  if (index >= std::ssize(names)) return std::to_string(index);
  return names[static_cast<size_t>(index)];
}

std::string confusion_map(const EvalRecord& record, std::span<const std::string> names) {
  return record.class_count() <= kMostTableClasses ? table(record, names) : drawing(record, names);
}

}  // namespace tessera::internal
