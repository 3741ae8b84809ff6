// A deterministic program computes the same bits on any number of ranks and threads.
#include <gtest/gtest.h>

#include "tests/placement/case_lists.h"
#include "tests/placement/nets.h"

namespace tessera::testing {
namespace {

constexpr std::string_view kTransformer =
    "transformer(layers=1,heads=2,hidden=8,mlp=20,seq=3,num_classes=5)";

std::vector<std::string> nets() {
  std::vector<std::string> names = net_names();
  names.emplace_back(kTransformer);
  return names;
}

TEST(Deterministic, BitsAreThoseOfOneRankForAnyNumberOfRanksAndThreads) {
  PlacementCheck check;
  for (const std::string& net : nets()) {
    for (const std::string axis : {"dp", "tp"}) {
      for (const int ranks : {1, 2, 3, 4, 6, 8}) {
        for (const int threads : {1, 2}) {
          PlacementCase made{.net = net, .rows = 5};
          made.mesh = "{" + axis + "=" + std::to_string(ranks) + "}";
          made.deterministic = true;
          made.threads = threads;
          // Parameters cut by their first dim, which is the output of a product, or by their last.
          for (const bool by_last : {false, true}) {
            const Graph graph = make_net(net, made.rows);
            for (const ValueId id : graph.parameters) {
              const ValueInfo& value = graph.values[static_cast<size_t>(id)];
              std::string dims = "[";
              for (size_t d = 0; d < value.shape.size(); ++d) {
                const bool cut = d == (by_last ? value.shape.size() - 1 : 0);
                dims += std::string(d == 0 ? "" : ", ") + (cut ? axis : "-");
              }
              made.layouts[value.name] = made.mesh + " " + dims + "]";
            }
            ASSERT_EQ(check(made), "");
          }
        }
      }
    }
  }
}

TEST(Deterministic, BitsAreThoseOfOneRankWhateverIsSharded) {
  PlacementCheck check;
  for (uint64_t number = 0; number < 200; ++number) {
    Random random(1000 + number);
    PlacementCase made = random_case(random);
    made.deterministic = true;
    if (!check(made).empty()) FAIL() << "case " << number << "\n" << check.shrunk(made);
  }
}

TEST(Deterministic, AShardingThatCutsASumSendsOperandsInstead) {
  PlacementCheck check;
  PlacementCase made{.net = "product_product", .rows = 5, .mesh = "{dp=2,tp=2}"};
  made.shardings = {{0, "[dp, tp], [tp, -]"}, {1, "[-, dp tp], [dp tp, -]"}};
  made.deterministic = true;
  EXPECT_EQ(check(made), "");
}

}  // namespace
}  // namespace tessera::testing
