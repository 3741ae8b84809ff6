// The text form of meshes and layouts; layout.h describes the notation.
#include <algorithm>

#include "tessera/base/error.h"
#include "tessera/base/text.h"
#include "tessera/layout/layout.h"

namespace tessera {
namespace {

constexpr size_t kMostDims = 64;

/// A cursor over the notation.
class Reader {
 public:
  explicit Reader(std::string_view text) : text_(text) {}

  bool accept(char c) {
    skip_space();
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) {
    if (!accept(c)) fail_here(fmt::format("'{}' is wanted", c));
  }
  bool at_end() {
    skip_space();
    return at_ == text_.size();
  }
  bool at_name() {
    skip_space();
    return at_ < text_.size() && is_name(text_[at_]);
  }
  std::string name() {
    if (!at_name()) fail_here("a name is wanted");
    const size_t start = at_;
    while (at_ < text_.size() && is_name(text_[at_])) ++at_;
    return std::string(text_.substr(start, at_ - start));
  }
  int number() {
    skip_space();
    const size_t start = at_;
    while (at_ < text_.size() && text_[at_] >= '0' && text_[at_] <= '9') ++at_;
    const std::optional<int64_t> value = parse_int(text_.substr(start, at_ - start));
    if (at_ == start || at_ - start > 9 || !value) {
      at_ = start;
      fail_here("a number below 10^9 is wanted");
    }
    return static_cast<int>(*value);
  }
  /// Where the next thing begins.
  size_t position() {
    skip_space();
    return at_;
  }
  [[noreturn]] void fail_here(std::string_view what) const { fail_at(at_, what); }
  [[noreturn]] void fail_at(size_t position, std::string_view what) const {
    fail(ErrorCode::kInvalidArgument, "{} at column {} of '{}'", what, position + 1,
         printable(text_));
  }

 private:
  static bool is_name(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.';
  }
  void skip_space() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
  }

  std::string_view text_;
  size_t at_ = 0;
};

std::vector<Rank> read_ranks(Reader& in, int64_t places) {
  std::vector<Rank> ranks;
  while (in.at_name()) {
    const size_t start = in.position();
    const int first = in.number();
    const int last = in.accept('-') ? in.number() : first;
    if (last < first) in.fail_at(start, "a range upwards is wanted");
    // Checked here already: a short text must not make a long list.
    if (int64_t{last} - first >= places - static_cast<int64_t>(ranks.size()))
      in.fail_at(start, fmt::format("more ranks than the {} places of the mesh", places));
    for (int rank = first; rank <= last; ++rank) ranks.push_back(rank);
    in.accept(',');
  }
  if (ranks.empty()) in.fail_here("a rank is wanted");
  return ranks;
}

MeshPtr read_mesh(Reader& in) {
  std::vector<MeshAxis> axes;
  std::vector<Rank> ranks;
  int64_t places = 1;
  in.expect('{');
  while (in.at_name()) {
    const size_t start = in.position();
    MeshAxis axis{in.name(), 0};
    for (const MeshAxis& other : axes)
      if (other.name == axis.name) in.fail_at(start, "an axis of this name is there already");
    if (axes.size() == kMostAxes) in.fail_at(start, fmt::format("more than {} axes", kMostAxes));
    in.expect('=');
    const size_t size_start = in.position();
    axis.size = in.number();
    places *= axis.size;
    if (axis.size == 0) in.fail_at(size_start, "a size of at least 1 is wanted");
    if (places > kMostRanks) in.fail_at(size_start, fmt::format("more than {} ranks", kMostRanks));
    axes.push_back(std::move(axis));
    if (!in.accept(',')) break;
    if (!in.at_name()) in.fail_here("an axis is wanted");
  }
  if (in.accept('@')) ranks = read_ranks(in, places);
  in.expect('}');
  return make_mesh(std::move(axes), std::move(ranks));
}

/// Reads the axes of a layout, each at most once.
class AxisReader {
 public:
  AxisReader(Reader& in, const Mesh& mesh) : in_(in), mesh_(mesh), used_(mesh.axes.size(), false) {}

  AxisId read() {
    const size_t start = in_.position();
    const std::string name = in_.name();
    const std::optional<AxisId> axis = mesh_.find(name);
    if (!axis) {
      std::vector<std::string> known;
      for (const MeshAxis& one : mesh_.axes) known.push_back(one.name);
      in_.fail_at(start, fmt::format("the mesh {} has no axis '{}'{}", to_string(mesh_),
                                     printable(name, 40), suggest(name, known)));
    }
    if (used_[static_cast<size_t>(*axis)])
      in_.fail_at(start, fmt::format("the axis '{}' is used twice", name));
    used_[static_cast<size_t>(*axis)] = true;
    return *axis;
  }

 private:
  Reader& in_;
  const Mesh& mesh_;
  std::vector<bool> used_;
};

Partial read_partial(Reader& in, AxisReader& axes) {
  Partial partial;
  if (!in.accept('+')) {
    const size_t start = in.position();
    const std::string op = in.at_name() ? in.name() : "";
    if (op == "max") {
      partial.op = ReduceOp::kMax;
    } else if (op == "min") {
      partial.op = ReduceOp::kMin;
    } else {
      in.fail_at(start, "'+', 'max:', 'min:' or the end is wanted");
    }
    in.expect(':');
  }
  partial.axis = axes.read();
  return partial;
}

Layout read_layout(Reader& in, MeshPtr mesh) {
  Layout layout{std::move(mesh), {}, {}};
  AxisReader axes(in, *layout.mesh);
  in.expect('[');
  bool more = !in.accept(']');
  while (more) {
    if (layout.dims.size() == kMostDims) in.fail_here(fmt::format("more than {} dims", kMostDims));
    std::vector<AxisId>& dim = layout.dims.emplace_back();
    if (!in.accept('-')) {
      do {
        dim.push_back(axes.read());
      } while (in.at_name());
    }
    more = in.accept(',');
    if (!more) in.expect(']');
  }
  while (!in.at_end()) layout.partial.push_back(read_partial(in, axes));
  std::sort(layout.partial.begin(), layout.partial.end(),
            [](const Partial& a, const Partial& b) { return a.axis < b.axis; });
  return layout;
}

}  // namespace

MeshPtr parse_mesh(std::string_view text) {
  Reader in(text);
  MeshPtr mesh = read_mesh(in);
  if (!in.at_end()) in.fail_here("the end is wanted");
  return mesh;
}

Layout parse_layout(std::string_view text) {
  Reader in(text);
  MeshPtr mesh = read_mesh(in);
  return read_layout(in, std::move(mesh));
}

Layout parse_layout(std::string_view text, const MeshPtr& mesh) {
  Reader in(text);
  return read_layout(in, mesh);
}

std::string to_string(const Mesh& mesh) {
  std::string text = "{";
  for (const MeshAxis& axis : mesh.axes)
    text += fmt::format("{}{}={}", text.size() > 1 ? "," : "", axis.name, axis.size);
  if (!mesh.ranks.empty()) {
    text += text.size() > 1 ? " @" : "@";
    for (size_t i = 0; i < mesh.ranks.size();) {
      size_t end = i + 1;
      while (end < mesh.ranks.size() && mesh.ranks[end] == mesh.ranks[end - 1] + 1) ++end;
      text += end - i > 2 ? fmt::format(" {}-{}", mesh.ranks[i], mesh.ranks[end - 1])
                          : fmt::format(" {}", mesh.ranks[i]);
      i = end - i > 2 ? end : i + 1;
    }
  }
  return text + "}";
}

std::string dims_to_string(const Layout& layout) {
  // Errors print layouts that are not valid.
  const auto name = [&](AxisId axis) {
    const auto at = static_cast<size_t>(axis);
    return at < layout.mesh->axes.size() ? layout.mesh->axes[at].name : fmt::format("?{}", axis);
  };
  std::string text = "[";
  for (size_t d = 0; d < layout.dims.size(); ++d) {
    if (d > 0) text += ", ";
    if (layout.dims[d].empty()) text += "-";
    for (size_t i = 0; i < layout.dims[d].size(); ++i)
      text += (i > 0 ? " " : "") + name(layout.dims[d][i]);
  }
  text += "]";
  for (const Partial& partial : layout.partial)
    text += fmt::format(
        " {}{}", partial.op == ReduceOp::kSum ? "+" : fmt::format("{}:", to_string(partial.op)),
        name(partial.axis));
  return text;
}

std::string to_string(const Layout& layout) {
  return to_string(*layout.mesh) + " " + dims_to_string(layout);
}

}  // namespace tessera
