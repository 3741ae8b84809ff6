// A digit is drawn in four steps, all of them in integers:
//   1. a glyph (one of several ways to write the digit) is chosen and its control points are moved
//   a
//      little;
//   2. the points go through a random affine map: slant, unequal scales, a rotation, a shift;
//   3. curves become short segments, a stray mark joins them now and then, and each pixel takes its
//      squared distance to the nearest segment;
//   4. the distance, the pen's radius and its softness give the ink; noise is added.
// A rotation needs no sine: with t = tan(angle / 2) as a fraction, cos = (1 - t²) / (1 + t²) and
// sin = 2t / (1 + t²).
#include "tessera/data/digits.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <limits>
#include <vector>

#include "tessera/base/random.h"

namespace tessera {
namespace {

constexpr int64_t kOne = 1024;  // one pixel, and 1.0 of a factor

/// Uniform numbers in ranges.
class Random {
 public:
  Random(uint64_t seed, uint64_t index)
      : numbers_(SplitMix64(seed * 0xD1342543DE82EF95U + index).next()) {}
  /// In [low, high].
  int64_t between(int64_t low, int64_t high) {
    return low +
           static_cast<int64_t>((numbers_.next() >> 32) % static_cast<uint64_t>(high - low + 1));
  }
  /// In [low, high], the middle more often than the ends.
  int64_t around_middle(int64_t low, int64_t high) {
    return (between(low, high) + between(low, high)) / 2;
  }

 private:
  SplitMix64 numbers_;
};

struct Point {
  int64_t x = 0;
  int64_t y = 0;
};

/// Strokes in a box of 100×100, y downward: M moves the pen, L draws a line to a point, C a cubic
/// Bézier curve through two control points to a third.
struct Glyph {
  int digit;
  std::string_view path;
};

constexpr Glyph kGlyphs[] = {
    {0, "M50 8 C68 8 78 27 78 50 C78 73 68 92 50 92 C32 92 22 73 22 50 C22 27 32 8 50 8"},
    {0, "M62 12 C40 0 20 30 22 56 C24 86 44 96 56 90 C80 78 82 22 56 8"},
    {0, "M50 10 C62 10 66 30 66 50 C66 72 60 90 50 90 C40 90 34 72 34 50 C34 30 40 10 50 10"},
    {1, "M50 8 L50 92"},
    {1, "M34 28 L54 8 L54 92"},
    {1, "M36 26 L52 8 L52 92 M34 92 L72 92"},
    {2, "M24 28 C24 2 76 2 76 30 C76 52 34 70 22 92 L78 92"},
    {2, "M26 26 C34 4 74 6 72 32 C70 58 44 84 28 88 C18 90 26 72 38 80 C52 88 62 94 80 86"},
    {2, "M28 14 C62 4 80 24 66 46 C56 62 38 76 24 90 C44 84 60 86 78 92"},
    {3, "M24 20 C36 2 76 4 74 28 C72 46 54 48 42 48 C58 48 80 54 78 72 C76 98 34 98 22 78"},
    {3, "M26 10 L74 10 L46 42 C68 40 80 54 78 70 C74 98 34 96 22 80"},
    {3, "M28 12 C60 4 76 20 66 34 C60 44 50 46 46 46 C66 48 76 60 68 78 C60 94 36 94 24 88"},
    {4, "M60 8 L20 64 L82 64 M62 38 L62 94"},
    {4, "M28 10 L24 54 L78 54 M68 10 L66 92"},
    {4, "M30 8 C24 30 22 44 24 50 C30 58 60 54 70 48 M72 12 L66 94"},
    {4, "M64 92 L66 8 L22 60 L80 58"},
    {5, "M74 10 L32 10 L28 46 C50 36 78 44 78 66 C78 96 38 98 22 82"},
    {5, "M34 12 L30 48 C46 40 76 42 76 66 C76 92 40 98 24 84 M34 12 L76 10"},
    {5, "M72 10 C52 14 36 12 34 14 C30 30 30 40 30 44 C60 44 74 56 66 74 C58 92 38 94 24 90"},
    {6, "M66 8 C40 22 24 46 24 68 C24 98 76 100 76 70 C76 44 34 44 26 66"},
    {6, "M50 8 C36 34 26 56 28 72 C32 98 70 94 70 74 C70 56 44 54 30 76"},
    {6, "M72 14 C50 0 24 30 24 62 C24 98 76 100 74 70 C72 46 34 48 26 70"},
    {7, "M22 12 L78 12 L42 92"},
    {7, "M22 12 L78 12 C62 40 50 66 46 92 M34 52 L70 52"},
    {7, "M22 26 L24 12 L76 12 C64 36 54 60 52 92"},
    {8, "M50 48 C20 44 22 8 50 8 C78 8 80 44 50 48 C14 54 16 92 50 92 C84 92 86 54 50 48"},
    {8, "M72 20 C60 2 28 4 28 26 C30 48 76 52 74 74 C70 98 28 96 26 74 C26 52 70 46 72 20"},
    {8, "M50 46 C32 40 36 8 54 10 C70 12 66 40 50 46 C26 58 30 94 50 90 C70 88 70 58 50 46"},
    {9, "M74 34 C72 4 26 2 24 32 C24 60 70 60 74 34 C76 60 72 80 56 92"},
    {9, "M70 30 C66 4 28 4 26 34 C26 58 66 56 70 30 L68 92"},
    {9, "M72 22 C50 -2 22 20 28 42 C36 60 66 50 72 22 C74 60 70 98 34 88"},
};

/// A random affine map from a glyph's box to pixels, in units of 1 / kOne.
struct Placement {
  int64_t xx, xy, yx, yy;
  Point shift;

  explicit Placement(Random& random) {
    const int64_t height = random.around_middle(15 * kOne, 24 * kOne) / 100;  // of one box unit
    const int64_t width = height * random.around_middle(650, 1150) / 1000;
    const int64_t slant = random.around_middle(-500, 420);
    const int64_t t = random.around_middle(-230, 230);  // 230 / 1024: 25 degrees
    const int64_t norm = kOne * kOne + t * t;
    const int64_t cosine = kOne * (kOne * kOne - t * t) / norm;
    const int64_t sine = 2 * kOne * kOne * t / norm;
    // x' = width·(x - slant·y), y' = height·y, then the rotation.
    const int64_t across = -width * slant / kOne;
    xx = width * cosine / kOne;
    xy = (across * cosine - height * sine) / kOne;
    yx = width * sine / kOne;
    yy = (across * sine + height * cosine) / kOne;
    shift = {kOne * kDigitSide / 2 + random.around_middle(-3 * kOne, 3 * kOne),
             kOne * kDigitSide / 2 + random.around_middle(-3 * kOne, 3 * kOne)};
  }
  /// `p` in tenths of a box unit.
  Point operator()(Point p) const {
    const int64_t x = p.x - 500;
    const int64_t y = p.y - 500;
    return {(xx * x + xy * y) / 10 + shift.x, (yx * x + yy * y) / 10 + shift.y};
  }
};

Point bezier(const std::array<Point, 4>& c, int64_t step, int64_t steps) {
  const int64_t t = step;
  const int64_t u = steps - step;
  const std::array<int64_t, 4> weight = {u * u * u, 3 * u * u * t, 3 * u * t * t, t * t * t};
  Point sum;
  for (size_t i = 0; i < 4; ++i) {
    sum.x += weight[i] * c[i].x;
    sum.y += weight[i] * c[i].y;
  }
  const int64_t whole = steps * steps * steps;
  return {sum.x / whole, sum.y / whole};
}

/// Reads a glyph's path; every point it names is moved by up to `wobble` tenths of a box unit.
class Pen {
 public:
  Pen(std::string_view path, const Placement& place, int64_t wobble, Random& random)
      : path_(path), place_(place), wobble_(wobble), random_(random) {}

  /// The strokes as segments between successive points; `begins` marks where a stroke begins.
  struct Trace {
    std::vector<Point> points;
    std::vector<bool> begins;
  };
  Trace trace() {
    Trace trace;
    Point at;
    while (at_ < path_.size()) {
      const char command = path_[at_++];
      if (command == 'C') {
        const Point a = point();
        const Point b = point();
        const Point end = point();
        for (int64_t i = 1; i <= kSteps; ++i) add(trace, bezier({at, a, b, end}, i, kSteps), false);
        at = end;
      } else {
        at = point();
        add(trace, at, command == 'M');
      }
      skip_space();
    }
    return trace;
  }

 private:
  static constexpr int64_t kSteps = 7;

  static void add(Trace& trace, Point point, bool begins) {
    trace.points.push_back(point);
    trace.begins.push_back(begins);
  }
  void skip_space() {
    while (at_ < path_.size() && path_[at_] == ' ') ++at_;
  }
  int64_t number() {
    skip_space();
    const bool negative = path_[at_] == '-';
    if (negative) ++at_;
    int64_t value = 0;
    while (at_ < path_.size() && path_[at_] >= '0' && path_[at_] <= '9')
      value = 10 * value + (path_[at_++] - '0');
    return negative ? -value : value;
  }
  Point point() {
    Point p;
    p.x = 10 * number() + random_.around_middle(-wobble_, wobble_);
    p.y = 10 * number() + random_.around_middle(-wobble_, wobble_);
    return place_(p);
  }

  std::string_view path_;
  size_t at_ = 0;
  const Placement& place_;
  int64_t wobble_;
  Random& random_;
};

int64_t square_distance(Point p, Point a, Point b) {
  const Point along{b.x - a.x, b.y - a.y};
  const Point from{p.x - a.x, p.y - a.y};
  const int64_t length = along.x * along.x + along.y * along.y;
  const int64_t dot = from.x * along.x + from.y * along.y;
  Point nearest = a;
  if (dot >= length)
    nearest = b;
  else if (dot > 0)
    nearest = {a.x + along.x * dot / length, a.y + along.y * dot / length};
  const int64_t dx = p.x - nearest.x;
  const int64_t dy = p.y - nearest.y;
  return dx * dx + dy * dy;
}

int64_t integer_root(int64_t value) {
  int64_t root = 0;
  for (int64_t bit = int64_t{1} << 15; bit > 0; bit >>= 1)
    if ((root + bit) * (root + bit) <= value) root += bit;
  return root;
}

using Distances = std::array<int64_t, kDigitPixels>;

/// Lowers the squared distances of the pixels that are within `reach` of the segment a–b.
void approach(Distances& distances, Point a, Point b, int64_t reach) {
  const auto first = [&](int64_t low) { return std::max<int64_t>(0, (low - reach) / kOne); };
  const auto last = [&](int64_t high) {
    return std::min<int64_t>(kDigitSide - 1, (high + reach) / kOne);
  };
  for (int64_t y = first(std::min(a.y, b.y)); y <= last(std::max(a.y, b.y)); ++y)
    for (int64_t x = first(std::min(a.x, b.x)); x <= last(std::max(a.x, b.x)); ++x) {
      int64_t& nearest = distances[static_cast<size_t>(y * kDigitSide + x)];
      const Point centre{x * kOne + kOne / 2, y * kOne + kOne / 2};
      nearest = std::min(nearest, square_distance(centre, a, b));
    }
}

Point random_point(Random& random, int64_t low, int64_t high) {
  const int64_t x = random.between(low, high);
  return {x, random.between(low, high)};
}

const Glyph& choose_glyph(int digit, Random& random) {
  const auto begin = std::find_if(std::begin(kGlyphs), std::end(kGlyphs),
                                  [&](const Glyph& glyph) { return glyph.digit == digit; });
  const auto end = std::find_if(begin, std::end(kGlyphs),
                                [&](const Glyph& glyph) { return glyph.digit != digit; });
  return *(begin + random.between(0, end - begin - 1));
}

}  // namespace

int draw_digit(uint64_t seed, uint64_t index, std::span<uint8_t, kDigitPixels> pixels) {
  Random random(seed, index);
  const auto digit = static_cast<int>(random.between(0, 9));
  const Placement place(random);
  const int64_t wobble = random.between(20, 170);
  const int64_t radius = random.around_middle(kOne * 2 / 5, 2 * kOne);
  const int64_t softness = random.between(kOne * 2 / 5, kOne);
  const int64_t ink = random.between(110, 255);
  const int64_t noise = random.between(0, 60);

  const Pen::Trace trace = Pen(choose_glyph(digit, random).path, place, wobble, random).trace();
  Distances distances;
  distances.fill(std::numeric_limits<int64_t>::max());
  for (size_t i = 1; i < trace.points.size(); ++i)
    if (!trace.begins[i])
      approach(distances, trace.points[i - 1], trace.points[i], radius + softness);
  if (random.between(0, 2) == 0) {
    const Point from = random_point(random, 2 * kOne, (kDigitSide - 2) * kOne);
    const Point by = random_point(random, -4 * kOne, 4 * kOne);
    approach(distances, from, {from.x + by.x, from.y + by.y}, radius + softness);
  }

  for (size_t i = 0; i < pixels.size(); ++i) {
    int64_t value = random.between(0, 2 * noise) - noise;
    if (distances[i] < (radius + softness) * (radius + softness)) {
      const int64_t inside = radius + softness - integer_root(distances[i]);
      value += ink * std::min(inside, 2 * softness) / (2 * softness);
    }
    pixels[i] = static_cast<uint8_t>(std::clamp<int64_t>(value, 0, 255));
  }
  return digit;
}

}  // namespace tessera
