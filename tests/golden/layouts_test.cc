// Runs tests/golden/layout/*.txt and tests/golden/redistribute/*.txt. A file holds cases with a
// line of ==== between them; a case is a list of commands, a line of ----, and what they print.
// Lines that begin with # are notes. With TESSERA_UPDATE=1 in the environment what the commands
// print is written anew.
//
//   map D M               the layout of a device matrix and tensor map, printed
//   ranks LIST            the ranks of the maps that follow; none: 0, 1, 2, …
//   layout TEXT           a layout in our notation
//   shape S               the tensor's global shape
//   boxes [RANK …]        what the ranks hold, all without a rank
//   slice                 the shape of what a rank holds at most
//   groups RANK           the ranks beside it, axis by axis
//   replicas [RANK]       the ranks that hold what it holds; without a rank all groups
//   squeeze D M           the map without device dims of size 1
//   optimizer STEP SIZE   cuts dim 0 among replicas, and prints the layout
//   refine D              the layout over the common refinement with a device matrix
//   same D M S            whether this layout of shape S gives every rank the same elements
//   to D M | to TEXT      the layout to reach from the one above
//   plan                  the plan, which the simulator also runs
//   cost                  what the plan and the exchange cost, of f32, in bytes
//   needs RANK            the ranks whose values the rank takes in an exchange
//   list RANK OPS         the bytes of f32 that another planner's list of ops, separated by ';',
//                         makes the rank receive, and those of ours: reshape S, concat RANKS DIM,
//                         slice BEGIN END
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>

#include "tessera/base/error.h"
#include "tessera/base/text.h"
#include "tessera/io/json.h"
#include "tests/support/layout_oracle.h"
#include "tests/support/shared_data.h"

namespace tessera::testing {
namespace {

constexpr int64_t kBytes = 4;

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream in(text);
  return {std::istream_iterator<std::string>(in), {}};
}

std::vector<int> ints_of(const Json& list) {
  std::vector<int> numbers;
  for (const Json& one : list.items()) numbers.push_back(static_cast<int>(one.as_int()));
  return numbers;
}

TensorMap map_of(const std::string& matrix, const std::string& map) {
  TensorMap result{ints_of(parse_json(matrix)), {}};
  const Json dims = parse_json(map);
  for (const Json& dim : dims.items())
    result.dims.push_back(dim.is_array() ? ints_of(dim)
                                         : std::vector<int>{static_cast<int>(dim.as_int())});
  return result;
}

template <typename Numbers>
std::string list_text(const Numbers& numbers, std::string_view separator = " ") {
  std::string text;
  for (const auto number : numbers)
    text += fmt::format("{}{}", text.empty() ? "" : separator, number);
  return text;
}

/// Runs the commands of one case.
class Commands {
 public:
  std::string run(const std::string& text) {
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
      if (line.empty() || line[0] == '#') continue;
      const size_t blank = line.find(' ');
      const std::string rest = blank == std::string::npos ? "" : line.substr(blank + 1);
      try {
        run_command(line.substr(0, blank), rest);
      } catch (const Error& error) {
        const std::string message = error.what();
        out_ += "error: " + message.substr(0, message.find('\n')) + "\n";
      }
    }
    return out_;
  }

 private:
  void run_command(const std::string& name, const std::string& rest) {
    const std::vector<std::string> words = words_of(rest);
    if (name == "ranks") {
      ranks_ = words.empty() ? std::vector<int>{} : ints_of(parse_json(rest));
    } else if (name == "map" || name == "to" || name == "layout") {
      Layout& layout = name == "to" ? to_ : layout_;
      layout = rest[0] == '{' ? parse_layout(rest) : mapped(words.at(0), words.at(1));
      print(to_string(layout));
    } else if (name == "shape") {
      shape_ = parse_shape(rest);
    } else if (name == "squeeze") {
      const TensorMap map = squeeze(map_of(words.at(0), words.at(1)));
      std::vector<int> dims;
      for (const auto& dim : map.dims) dims.push_back(dim.empty() ? -1 : dim[0]);
      print("[" + list_text(map.device_matrix, ",") + "] [" + list_text(dims, ",") + "]");
    } else if (name == "optimizer") {
      layout_ = shard_optimizer(layout_, std::stoi(words.at(0)), std::stoi(words.at(1)));
      print(to_string(layout_));
    } else if (name == "refine") {
      const MeshPtr other = from_tensor_map(map_of(rest, "[]")).mesh;
      print(to_string(rebase(layout_, common_refinement(layout_.mesh, other))));
    } else if (name == "same") {
      print_same(words);
    } else if (!look(name, words) && !redistribute(name, words, rest)) {
      ADD_FAILURE() << "no command '" << name << "'";
    }
  }

  /// The commands that print what the ranks hold.
  bool look(const std::string& name, const std::vector<std::string>& words) {
    std::vector<Rank> ranks;
    for (const std::string& word : words)
      if (name != "list") ranks.push_back(std::stoi(word));
    if (name == "boxes") {
      for (const Rank rank : ranks.empty() ? all_ranks(*layout_.mesh) : ranks)
        print(fmt::format("{}: {}", rank, to_string(local_box(layout_, shape_, rank))));
    } else if (name == "slice") {
      print(to_string(local_box(layout_, shape_, all_ranks(*layout_.mesh).back()).size));
    } else if (name == "groups") {
      for (size_t a = 0; a < layout_.mesh->axes.size(); ++a)
        print(layout_.mesh->axes[a].name + ": " +
              list_text(layout_.mesh->group(ranks.at(0), static_cast<AxisId>(a))));
    } else if (name == "replicas" && !ranks.empty()) {
      print(list_text(replica_group(layout_, ranks[0])));
    } else if (name == "replicas") {
      for (const auto& group : replica_groups(layout_)) print(list_text(group));
    } else {
      return false;
    }
    return true;
  }

  void print_same(const std::vector<std::string>& words) {
    const Layout other = from_tensor_map(map_of(words.at(0), words.at(1)));
    const Shape shape = parse_shape(words.at(2));
    for (const Rank rank : all_ranks(*layout_.mesh))
      if (elements_by_counting(layout_, shape_, rank) != elements_by_counting(other, shape, rank))
        return print(fmt::format("other elements at rank {}", rank));
    print("the same elements");
  }

  bool redistribute(const std::string& name, const std::vector<std::string>& words,
                    const std::string& rest) {
    if (name == "plan") {
      const Plan plan = plan_redistribution(layout_, to_, shape_, kBytes);
      print(to_string(plan));
      expect_moves_every_element(plan, to_, small(shape_));
    } else if (name == "cost") {
      const Plan plan = plan_redistribution(layout_, to_, shape_, kBytes);
      const Plan exchange{plan.from, {{StepKind::kExchange, -1, -1, -1, to_}}};
      print(fmt::format("the plan costs {}, the exchange {}", cost(plan, shape_, kBytes),
                        cost(exchange, shape_, kBytes)));
    } else if (name == "needs") {
      std::set<Rank> sources;
      const auto terms = exchange_parts(layout_, to_, shape_, std::stoi(words.at(0)));
      for (const auto& term : terms)
        for (const Receive& part : term) sources.insert(part.source);
      print(list_text(sources));
    } else if (name == "list") {
      print_list(std::stoi(words.at(0)), rest.substr(rest.find(' ')));
    } else {
      return false;
    }
    return true;
  }

  /// Plans do not know extents: the same plan runs on a smaller tensor.
  static Shape small(Shape shape) {
    for (int64_t& extent : shape)
      while (extent > 16 && extent % 2 == 0) extent /= 2;
    return shape;
  }

  void print_list(Rank rank, const std::string& ops) {
    Shape shape = local_box(layout_, shape_, rank).size;
    int64_t bytes = 0;
    for (const std::string_view op : split(ops, ';')) {
      const std::vector<std::string> words = words_of(std::string(op));
      if (words.empty()) continue;
      if (words.at(0) == "reshape") {
        const Shape after = parse_shape(words.at(1));
        EXPECT_EQ(element_count(after), element_count(shape)) << ops;
        shape = after;
      } else if (words.at(0) == "concat") {
        const auto others = static_cast<int64_t>(ints_of(parse_json(words.at(1))).size()) - 1;
        bytes += others * element_count(shape) * kBytes;
        shape[static_cast<size_t>(std::stoi(words.at(2)))] *= others + 1;
      } else {
        const Shape begin = parse_shape(words.at(1)), end = parse_shape(words.at(2));
        for (size_t d = 0; d < shape.size(); ++d) {
          EXPECT_LE(end[d], shape[d]) << ops;
          shape[d] = end[d] - begin[d];
        }
      }
    }
    EXPECT_EQ(shape, local_box(to_, shape_, rank).size) << ops;
    const CostModel no_latency{0};
    const Plan plan = plan_redistribution(layout_, to_, shape_, kBytes, no_latency);
    const int64_t ours = traffic(plan, shape_, kBytes, rank, no_latency).bytes;
    EXPECT_LE(ours, bytes) << to_string(plan);
    expect_moves_every_element(plan, to_, small(shape_));
    print(fmt::format("the list receives {} bytes, the plan {}", bytes, ours));
  }

  Layout mapped(const std::string& matrix, const std::string& map) const {
    Layout layout = from_tensor_map(map_of(matrix, map));
    if (!ranks_.empty()) layout.mesh = make_mesh(layout.mesh->axes, ranks_);
    return layout;
  }

  void print(const std::string& line) { out_ += line + "\n"; }

  std::vector<Rank> ranks_;
  Layout layout_ = parse_layout("{} []"), to_ = layout_;
  Shape shape_;
  std::string out_;
};

std::vector<std::filesystem::path> files() {
  std::vector<std::filesystem::path> paths;
  for (const std::string_view folder : {"layout", "redistribute"})
    for (const auto& entry :
         std::filesystem::directory_iterator(source_dir() / "tests/golden" / folder))
      paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  return paths;
}

std::vector<std::string> cases_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::vector<std::string> cases{""};
  for (std::string line; std::getline(file, line);) {
    if (line == "====")
      cases.emplace_back();
    else
      cases.back() += line + "\n";
  }
  return cases;
}

class LayoutGolden : public ::testing::TestWithParam<std::filesystem::path> {};

INSTANTIATE_TEST_SUITE_P(Every, LayoutGolden, ::testing::ValuesIn(files()), [](const auto& path) {
  return path.param.parent_path().stem().string() + "_" + path.param.stem().string();
});

TEST_P(LayoutGolden, PrintsWhatIsExpected) {
  std::string updated;
  for (const std::string& one : cases_of(GetParam())) {
    const size_t line = one.find("----\n");
    const std::string given = one.substr(0, line);
    const std::string wanted = line == std::string::npos ? "" : one.substr(line + 5);
    SCOPED_TRACE(given);
    const std::string found = Commands().run(given);
    updated += (updated.empty() ? "" : "====\n") + given + "----\n" + found;
    if (std::getenv("TESSERA_UPDATE") == nullptr) {
      EXPECT_EQ(found, wanted);
    }
  }
  if (std::getenv("TESSERA_UPDATE") != nullptr)
    std::ofstream(GetParam(), std::ios::binary) << updated;
}

}  // namespace
}  // namespace tessera::testing
