#include "tessera/passes/shard.h"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "tessera/base/text.h"
#include "tessera/passes/internal/stages.h"

namespace tessera {
namespace {

size_t at(int id) {
  return static_cast<size_t>(id);
}

/// The numbers of one tuple, without its parentheses.
std::vector<int> parse_tuple(std::string_view inside) {
  std::vector<int> numbers;
  for (const std::string_view part : split(inside, ',')) {
    const std::string_view word = trim(part);
    if (word.empty() && !numbers.empty()) continue;  // "(8,)"
    const auto number = parse_int(word);
    require(number && *number >= 1 && *number <= 1 << 20, "'{}' is no number of pieces",
            printable(word));
    numbers.push_back(static_cast<int>(*number));
  }
  return numbers;
}

/// Reads the pieces of every factor off the operands.
class FactorPieces {
 public:
  FactorPieces(const ShardingRule& rule, const Pieces& pieces)
      : rule_(rule), counts_(rule.factors.size(), 0) {
    require(pieces.size() == rule.operands.size(),
            "{} tuples for {} operands; wanted one per operand", pieces.size(),
            rule.operands.size());
    for (size_t i = 0; i < pieces.size(); ++i) {
      require(pieces[i].size() == rule.operands[i].size(),
              "operand {} has {} dims, its tuple {} numbers", i, rule.operands[i].size(),
              pieces[i].size());
      for (size_t d = 0; d < pieces[i].size(); ++d) read_dim(i, d, pieces[i][d]);
    }
    std::replace(counts_.begin(), counts_.end(), 0, 1);
  }
  const std::vector<int>& counts() const { return counts_; }

 private:
  void read_dim(size_t operand, size_t dim, int count) {
    const std::vector<FactorId>& factors = rule_.operands[operand][dim];
    int64_t extent = 1;
    for (const FactorId f : factors) extent *= rule_.factors[at(f)].extent;
    require(count <= std::max<int64_t>(extent, 1),
            "dim {} of operand {} is {}, which cannot be cut in {} pieces", dim, operand, extent,
            count);
    if (factors.size() == 1) return note(operand, dim, factors[0], count);
    require(extent % count == 0, "dim {} of operand {} is {}, which {} pieces do not divide", dim,
            operand, extent, count);
    int left = count;
    for (const FactorId f : factors) {
      const auto extent_of_factor = rule_.factors[at(f)].extent;
      const int taken = static_cast<int>(std::gcd(static_cast<int64_t>(left), extent_of_factor));
      note(operand, dim, f, taken);
      left /= taken;
      if (taken < extent_of_factor && left > 1) break;
    }
    require(left == 1, "dim {} of operand {} cannot be cut in {} pieces that are boxes", dim,
            operand, count);
  }

  void note(size_t operand, size_t dim, FactorId f, int count) {
    const ShardingRule::Factor& factor = rule_.factors[at(f)];
    require(count == 1 || !factor.whole,
            "dim {} of operand {} is cut in {} pieces; the op needs it whole", dim, operand, count);
    int& known = counts_[at(f)];
    require(known == 0 || known == count,
            "dim {} of operand {} is cut in {} pieces, the same dim ('{}') of an operand before it "
            "in {}; wanted equal numbers",
            dim, operand, count, factor.name, known);
    known = count;
  }

  const ShardingRule& rule_;
  std::vector<int> counts_;  // 0: not seen
};

bool is_lookup(std::string_view op) {
  return op == "gather" || op == "embedding";
}

/// The factors in the order in which a device matrix has them.
std::vector<FactorId> ordered_factors(std::string_view op, const ShardingRule& rule) {
  std::vector<ShardingRule::Dims> operands = rule.operands;
  if (op == "gather") std::swap(operands[0], operands[1]);
  std::vector<std::pair<size_t, FactorId>> broadcast;  // how far from the last dim
  std::vector<FactorId> others;
  for (const ShardingRule::Dims& dims : operands) {
    for (size_t d = 0; d < dims.size(); ++d) {
      for (const FactorId f : dims[d]) {
        if (rule.factors[at(f)].name.starts_with('.'))
          broadcast.emplace_back(dims.size() - d, f);
        else
          others.push_back(f);
      }
    }
  }
  std::stable_sort(broadcast.begin(), broadcast.end(),
                   [](const auto& a, const auto& b) { return a.first > b.first; });
  std::vector<FactorId> order;
  const auto add = [&](FactorId f) {
    if (std::find(order.begin(), order.end(), f) == order.end()) order.push_back(f);
  };
  for (const auto& [distance, f] : broadcast) add(f);
  std::for_each(others.begin(), others.end(), add);
  return order;
}

/// Pieces per dim where some tuples count all dims but the last as one: see device_matrix.
struct SpreadPieces {
  Pieces pieces;
  std::vector<FactorId> rows;  // the factors that share one dim of the device matrix
};

SpreadPieces spread_rows(std::string_view op, const ShardingRule& rule, Pieces pieces) {
  SpreadPieces made;
  const bool takes_rows = op == "dense" || op == "add";
  if (!takes_rows || pieces.empty() || pieces[0].size() != 2 || rule.operands[0].size() <= 2) {
    made.pieces = std::move(pieces);
    return made;
  }
  const ShardingRule::Dims& x = rule.operands[0];
  int64_t rows = 1;
  int left = pieces[0][0];
  std::vector<int> spread;
  for (size_t d = 0; d + 1 < x.size(); ++d) {
    int64_t extent = 1;
    for (const FactorId f : x[d]) extent *= rule.factors[at(f)].extent;
    made.rows.insert(made.rows.end(), x[d].begin(), x[d].end());
    spread.push_back(static_cast<int>(std::gcd(static_cast<int64_t>(left), extent)));
    left /= spread.back();
    rows *= extent;
  }
  require(left == 1, "the {} rows of operand 0 cannot be cut in {} pieces", rows, pieces[0][0]);
  spread.push_back(pieces[0][1]);
  pieces[0] = std::move(spread);
  made.pieces = std::move(pieces);
  return made;
}

/// Spreads the axes that cut a dim over its factors: each begins where the one before it is cut to
/// single elements, so that the parts are boxes where they can be.
std::vector<std::vector<AxisId>> spread_axes(const ShardingRule& rule, const Mesh& mesh,
                                             const std::vector<FactorId>& factors,
                                             const std::vector<AxisId>& split) {
  std::vector<std::vector<AxisId>> made(factors.size());
  size_t k = 0;
  int64_t parts = 1;
  for (const AxisId axis : split) {
    const int64_t size = mesh.axes[at(axis)].size;
    while (k + 1 < factors.size() && parts == rule.factors[at(factors[k])].extent && size > 1) {
      ++k;
      parts = 1;
    }
    made[k].push_back(axis);
    parts *= size;
  }
  return made;
}

/// The axes of each factor that these operand layouts ask for.
FactorAxes axes_of(const ShardingRule& rule, const std::vector<Layout>& operands) {
  FactorAxes axes(rule.factors.size());
  std::vector<bool> seen(rule.factors.size(), false);
  for (size_t i = 0; i < operands.size(); ++i) {
    validate(operands[i], rule.operands[i].size());
    require(operands[i].partial.empty(), "operand {} is asked for as {}: partial values are not", i,
            dims_to_string(operands[i]));
    for (size_t d = 0; d < rule.operands[i].size(); ++d) {
      const std::vector<FactorId>& factors = rule.operands[i][d];
      const std::vector<AxisId>& split = operands[i].dims[d];
      require(!factors.empty() || split.empty(),
              "dim {} of operand {} has one element, which '{}' would cut", d, i,
              dims_to_string(operands[i]));
      if (factors.empty()) continue;
      const auto spread = spread_axes(rule, *operands[i].mesh, factors, split);
      for (size_t k = 0; k < factors.size(); ++k) {
        const FactorId f = factors[k];
        require(
            !seen[at(f)] || axes[at(f)] == spread[k],
            "operand {} is asked for as {}, which cuts '{}' otherwise than an operand before it", i,
            dims_to_string(operands[i]), rule.factors[at(f)].name);
        axes[at(f)] = spread[k];
        seen[at(f)] = true;
      }
    }
  }
  return axes;
}

/// The layouts of a list "[dp, mp], [mp, -]" over a mesh.
std::vector<Layout> parse_layouts_of(std::string_view text, const MeshPtr& mesh) {
  std::vector<Layout> layouts;
  while (!text.empty()) {
    const size_t close = text.find(']');
    require(close != std::string_view::npos, "a layout like [dp, -] wanted, found '{}'",
            printable(text));
    layouts.push_back(parse_layout(trim(text.substr(0, close + 1)), mesh));
    text = trim(text.substr(close + 1));
    if (text.empty()) break;
    require(text.front() == ',', "',' wanted before '{}'", printable(text));
    text = trim(text.substr(1));
  }
  return layouts;
}

}  // namespace

Value shard(Value value, std::string sharding) {
  for (Node& node : value.graph->nodes) {
    if (std::find(node.results.begin(), node.results.end(), value.id) == node.results.end())
      continue;
    node.sharding = std::move(sharding);
    return value;
  }
  fail(ErrorCode::kInvalidArgument,
       "'{}' is no result of an op: layouts of parameters and inputs are given by name",
       value.graph->values[at(value.id)].name);
}

Value shard(Value value, const Pieces& pieces) {
  return shard(value, to_string(pieces));
}

std::string to_string(const Pieces& pieces) {
  std::vector<std::string> tuples;
  for (const std::vector<int>& tuple : pieces) {
    std::string text = fmt::format("({}", fmt::join(tuple, ","));
    tuples.push_back(text + (tuple.size() == 1 ? ",)" : ")"));
  }
  return "(" + join(tuples, ",") + (tuples.size() == 1 ? ",)" : ")");
}

Pieces parse_pieces(std::string_view text) {
  const ErrorContext context([&] { return fmt::format("reading '{}'", printable(text, 80)); });
  std::string_view rest = trim(text);
  require(rest.size() >= 2 && rest.front() == '(' && rest.back() == ')',
          "a tuple per operand wanted, as in ((2,1),(1,4))");
  rest = trim(rest.substr(1, rest.size() - 2));
  Pieces pieces;
  while (!rest.empty()) {
    const size_t close = rest.find(')');
    require(rest.front() == '(' && close != std::string_view::npos,
            "a tuple like (2,1) wanted at '{}'", printable(rest));
    const std::string_view inside = trim(rest.substr(1, close - 1));
    pieces.push_back(inside.empty() ? std::vector<int>{} : parse_tuple(inside));
    rest = trim(rest.substr(close + 1));
    if (rest.starts_with(',')) rest = trim(rest.substr(1));
  }
  return pieces;
}

bool is_pieces(std::string_view sharding) {
  return trim(sharding).starts_with('(');
}

DeviceMatrix device_matrix(std::string_view op, const ShardingRule& rule, const Pieces& pieces,
                           std::span<const Rank> ranks) {
  const SpreadPieces spread = spread_rows(op, rule, pieces);
  const std::vector<int> counts = FactorPieces(rule, spread.pieces).counts();
  int64_t product = 1;
  bool cuts_lookup = false;
  for (size_t f = 0; f < counts.size(); ++f) {
    product = checked_product(product, counts[f]);
    cuts_lookup |= is_lookup(op) && counts[f] > 1 && is_reduced(rule, static_cast<FactorId>(f));
  }
  require(std::ssize(ranks) % product == 0,
          "the pieces are {} in all, which does not divide the {} ranks", product, ranks.size());
  DeviceMatrix made;
  std::vector<MeshAxis> axes;
  made.axes.resize(rule.factors.size());
  const int repeat = static_cast<int>(std::ssize(ranks) / product);
  int dims = 0;
  if (repeat > 1 && cuts_lookup) axes.push_back({fmt::format("d{}", dims++), repeat});
  int parts_of_rows = 0;
  const auto are_rows = [&](FactorId f) {
    return std::find(spread.rows.begin(), spread.rows.end(), f) != spread.rows.end();
  };
  for (const FactorId f : ordered_factors(op, rule)) {
    if (counts[at(f)] == 1) continue;
    made.axes[at(f)] = {static_cast<AxisId>(axes.size())};
    const bool joins = are_rows(f) && parts_of_rows > 0;
    const int dim = joins ? dims - 1 : dims++;
    axes.push_back(
        {are_rows(f) ? fmt::format("d{}.{}", dim, parts_of_rows++) : fmt::format("d{}", dim),
         counts[at(f)]});
  }
  if (repeat > 1 && !cuts_lookup) axes.push_back({fmt::format("d{}", dims), repeat});
  if (axes.empty()) axes.push_back({"d0", 1});
  made.mesh = make_mesh(std::move(axes), {ranks.begin(), ranks.end()});
  return made;
}

RuleLayouts layouts_of_pieces(std::string_view op, const ShardingRule& rule, const Pieces& pieces,
                              const MeshPtr& mesh) {
  const DeviceMatrix made = device_matrix(op, rule, pieces, mesh->all_ranks());
  const std::string reason = why_not(rule, *made.mesh, made.axes);
  require(reason.empty(), "{}", reason);
  return layouts_of(rule, made.mesh, made.axes);
}

RuleLayouts read_sharding(std::string_view sharding, std::string_view op, const ShardingRule& rule,
                          const MeshPtr& mesh) {
  const ErrorContext context([&] { return fmt::format("sharding by {}", printable(sharding)); });
  if (is_pieces(sharding)) return layouts_of_pieces(op, rule, parse_pieces(sharding), mesh);
  std::string_view rest = trim(sharding);
  MeshPtr own = mesh;
  if (rest.starts_with('{')) {
    const size_t close = rest.find('}');
    require(close != std::string_view::npos, "'{{' without '}}'");
    own = parse_mesh(rest.substr(0, close + 1));
    require(own->rank_count() == mesh->rank_count(), "mesh {} has {} ranks, the job's {} has {}",
            to_string(*own), own->rank_count(), to_string(*mesh), mesh->rank_count());
    if (own->ranks.empty() && !mesh->ranks.empty()) own = make_mesh(own->axes, mesh->ranks);
    rest = trim(rest.substr(close + 1));
  }
  const std::vector<Layout> operands = parse_layouts_of(rest, own);
  require(operands.size() == rule.operands.size(), "{} layouts for {} operands; wanted one each",
          operands.size(), rule.operands.size());
  const FactorAxes axes = axes_of(rule, operands);
  const std::string reason = why_not(rule, *own, axes);
  require(reason.empty(), "{}", reason);
  return layouts_of(rule, own, axes);
}

}  // namespace tessera
