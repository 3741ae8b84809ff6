// A drawing as SVG: items stand in rows by depth; an edge over several rows gets a place in each of
// them, so that it runs between the boxes. Rows are ordered by where their edges come from.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "tessera/base/text.h"
#include "tessera/passes/drawing/drawing.h"

namespace tessera {
namespace {

constexpr double kCharWidth = 6.7;  // of the font, at most
constexpr double kLineHeight = 14;
constexpr double kPadding = 7;
constexpr double kGap = 22;  // between boxes of a row
constexpr double kRowGap = 30;
constexpr double kMargin = 20;

/// An item, or a point of an edge that passes the row.
struct Spot {
  size_t row = 0;
  double width = 0;
  double height = 0;
  double x = 0;  // of the middle
  double y = 0;  // of the top
  std::vector<size_t> above;
};

struct Picture {
  std::vector<Spot> spots;                 // the items first
  std::vector<std::vector<size_t>> rows;   // spots from left to right
  std::vector<std::vector<size_t>> edges;  // the spots of each, from its beginning to its end
  double width = 0;
  double height = 0;
};

std::string xml_escape(std::string_view text) {
  std::string escaped;
  for (const char c : printable(text, 1000)) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

Spot spot_of(const Drawing::Item& item) {
  size_t longest = 0;
  for (const std::string& line : item.lines) longest = std::max(longest, line.size());
  Spot spot;
  spot.width = kCharWidth * static_cast<double>(longest) + 2 * kPadding;
  spot.height = kLineHeight * static_cast<double>(item.lines.size()) + 2 * kPadding;
  return spot;
}

Picture with_rows(const Drawing& drawing) {
  Picture picture;
  for (const Drawing::Item& item : drawing.items) picture.spots.push_back(spot_of(item));
  std::vector<std::vector<size_t>> sources(drawing.items.size());
  for (const Drawing::Edge& edge : drawing.edges) sources[edge.to].push_back(edge.from);
  size_t depth = 0;
  for (size_t i = 0; i < sources.size(); ++i) {
    for (const size_t from : sources[i])
      picture.spots[i].row = std::max(picture.spots[i].row, picture.spots[from].row + 1);
    depth = std::max(depth, picture.spots[i].row);
  }
  for (const Drawing::Edge& edge : drawing.edges) {
    std::vector<size_t> way{edge.from};
    for (size_t row = picture.spots[edge.from].row + 1; row < picture.spots[edge.to].row; ++row) {
      Spot point;
      point.row = row;
      point.width = 1;
      point.above = {way.back()};
      picture.spots.push_back(std::move(point));
      way.push_back(picture.spots.size() - 1);
    }
    picture.spots[edge.to].above.push_back(way.back());
    way.push_back(edge.to);
    picture.edges.push_back(std::move(way));
  }
  picture.rows.resize(drawing.items.empty() ? 0 : depth + 1);
  for (size_t i = 0; i < picture.spots.size(); ++i) picture.rows[picture.spots[i].row].push_back(i);
  return picture;
}

/// Where an item would like to be: under the middle of what it reads.
double wish(const Picture& picture, const Spot& spot) {
  if (spot.above.empty()) return 0;
  double sum = 0;
  for (const size_t from : spot.above) sum += picture.spots[from].x;
  return sum / static_cast<double>(spot.above.size());
}

/// Rows from the top: each is ordered by its wishes, and moved as a whole to meet them on average.
void arrange(Picture& picture) {
  double y = kMargin + 2 * kLineHeight;
  double left = 0;
  double right = 0;
  for (std::vector<size_t>& row : picture.rows) {
    std::vector<double> wishes(picture.spots.size());
    for (const size_t i : row) wishes[i] = wish(picture, picture.spots[i]);
    std::stable_sort(row.begin(), row.end(),
                     [&](size_t a, size_t b) { return wishes[a] < wishes[b]; });
    double x = 0;
    double shift = 0;
    double height = 0;
    for (const size_t i : row) {
      Spot& spot = picture.spots[i];
      spot.x = x + spot.width / 2;
      spot.y = y;
      x += spot.width + kGap;
      shift += wishes[i] - spot.x;
      height = std::max(height, spot.height);
    }
    shift /= static_cast<double>(row.size());
    for (const size_t i : row) {
      Spot& spot = picture.spots[i];
      spot.x += shift;
      left = std::min(left, spot.x - spot.width / 2);
      right = std::max(right, spot.x + spot.width / 2);
      if (spot.height == 0) spot.height = height;
    }
    y += height + kRowGap;
  }
  for (Spot& spot : picture.spots) spot.x += kMargin - left;
  picture.width = std::max(right - left, 480.0) + 2 * kMargin;
  picture.height = y - kRowGap + kMargin;
}

std::string path_of(const Picture& picture, const std::vector<size_t>& way) {
  const Spot* from = &picture.spots[way.front()];
  double y = from->y + from->height;
  double x = from->x;
  std::string path = fmt::format("M{:.1f} {:.1f}", x, y);
  for (size_t i = 1; i < way.size(); ++i) {
    const Spot& to = picture.spots[way[i]];
    const double middle = (y + to.y) / 2;
    path += fmt::format(" C{:.1f} {:.1f} {:.1f} {:.1f} {:.1f} {:.1f}", x, middle, to.x, middle,
                        to.x, to.y);
    x = to.x;
    y = to.y;
    if (i + 1 == way.size()) break;
    y += to.height;
    path += fmt::format(" V{:.1f}", y);
  }
  return path;
}

std::string box_of(const Drawing& drawing, const Drawing::Item& item, const Spot& spot) {
  const bool moves = item.kind == Drawing::Kind::kCollective || item.kind == Drawing::Kind::kOnce;
  std::string text = fmt::format(
      "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" rx=\"{}\" fill=\"{}\" "
      "stroke=\"{}\"/>\n",
      spot.x - spot.width / 2, spot.y, spot.width, spot.height, moves ? 14 : 3,
      fill_of(drawing, item), moves ? "#b03a10" : "#667788");
  double y = spot.y + kPadding + kLineHeight - 4;
  for (size_t i = 0; i < item.lines.size(); ++i, y += kLineHeight)
    text += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\"{}>{}</text>\n", spot.x, y,
                        i == 0 ? " font-weight=\"bold\"" : "", xml_escape(item.lines[i]));
  return text;
}

}  // namespace

std::string to_svg(const Drawing& drawing) {
  Picture picture = with_rows(drawing);
  arrange(picture);
  std::string text = fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
      "<svg xmlns=\"http://www.w3.org/2000/svg\" version=\"1.1\" width=\"{0:.0f}\" "
      "height=\"{1:.0f}\" viewBox=\"0 0 {0:.0f} {1:.0f}\" font-family=\"monospace\" "
      "font-size=\"11\" text-anchor=\"middle\">\n<title>{2}</title>\n"
      "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
      "<text x=\"{3}\" y=\"{3}\" text-anchor=\"start\" font-size=\"13\">{2}</text>\n",
      picture.width, picture.height, xml_escape(drawing.title), kMargin);
  for (const std::vector<size_t>& way : picture.edges)
    text +=
        fmt::format("<path d=\"{}\" fill=\"none\" stroke=\"#8899aa\"/>\n", path_of(picture, way));
  for (size_t i = 0; i < drawing.items.size(); ++i)
    text += box_of(drawing, drawing.items[i], picture.spots[i]);
  return text + "</svg>\n";
}

}  // namespace tessera
