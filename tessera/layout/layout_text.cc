// The text form of meshes and layouts; layout.h describes the notation.
#include <algorithm>

#include "tessera/base/error.h"
#include "tessera/base/text.h"
#include "tessera/layout/layout.h"

namespace tessera {
namespace {

constexpr size_t kMostAxes = 64;
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
  [[noreturn]] void fail_here(std::string_view wanted) const {
    fail(ErrorCode::kInvalidArgument, "{} at column {} of '{}'", wanted, at_ + 1, printable(text_));
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

MeshPtr read_mesh(Reader& in) {
  std::vector<MeshAxis> axes;
  std::vector<Rank> ranks;
  in.expect('{');
  while (in.at_name()) {
    if (axes.size() == kMostAxes) in.fail_here("fewer axes");
    MeshAxis axis{in.name(), 0};
    in.expect('=');
    axis.size = in.number();
    axes.push_back(std::move(axis));
    if (!in.accept(',')) break;
  }
  if (in.accept('@')) {
    while (in.at_name()) {
      const int first = in.number();
      const int last = in.accept('-') ? in.number() : first;
      if (last < first || last - first > 1 << 24) in.fail_here("a range upwards");
      for (int rank = first; rank <= last; ++rank) ranks.push_back(rank);
      in.accept(',');
    }
  }
  in.expect('}');
  return make_mesh(std::move(axes), std::move(ranks));
}

AxisId read_axis(Reader& in, const Mesh& mesh) {
  const std::string name = in.name();
  const std::optional<AxisId> axis = mesh.find(name);
  if (!axis) {
    std::vector<std::string> known;
    for (const MeshAxis& one : mesh.axes) known.push_back(one.name);
    fail(ErrorCode::kInvalidArgument, "the mesh {} has no axis '{}'{}", to_string(mesh), name,
         suggest(name, known));
  }
  return *axis;
}

Layout read_layout(Reader& in, MeshPtr mesh) {
  Layout layout{std::move(mesh), {}, {}};
  in.expect('[');
  bool more = !in.accept(']');
  while (more) {
    if (layout.dims.size() == kMostDims) in.fail_here("fewer dims");
    std::vector<AxisId>& dim = layout.dims.emplace_back();
    if (!in.accept('-')) {
      do {
        dim.push_back(read_axis(in, *layout.mesh));
      } while (in.at_name());
    }
    more = in.accept(',');
    if (!more) in.expect(']');
  }
  while (!in.at_end()) {
    Partial partial;
    if (!in.accept('+')) {
      const std::string op = in.name();
      if (op == "max") {
        partial.op = ReduceOp::kMax;
      } else if (op == "min") {
        partial.op = ReduceOp::kMin;
      } else {
        in.fail_here("'+', 'max:' or 'min:' is wanted");
      }
      in.expect(':');
    }
    partial.axis = read_axis(in, *layout.mesh);
    layout.partial.push_back(partial);
  }
  std::sort(layout.partial.begin(), layout.partial.end(),
            [](const Partial& a, const Partial& b) { return a.axis < b.axis; });
  validate(layout, layout.dims.size());
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
  const auto name = [&](AxisId axis) -> const std::string& {
    return layout.mesh->axes[static_cast<size_t>(axis)].name;
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
