// One way to place a net on ranks, as text that can be repeated, and the check that it computes
// what one device computes:
//
//   mlp rows=5 mesh={dp=2,tp=2} deterministic
//     layout dense_relu_sequential.0.weight: {dp=2,tp=2} [tp, -]
//     node 3 relu: [dp, -]
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tests/placement/run_placed.h"

namespace tessera::testing {

struct PlacementCase {
  std::string net;
  int64_t rows = 1;
  std::string mesh = "{tp=1}";  // of one stage
  std::vector<std::vector<std::string>> stages;
  std::map<size_t, std::string> shardings;     // of nodes
  std::map<std::string, std::string> layouts;  // of parameters and inputs, each with its mesh
  bool deterministic = false;                  // then bits are compared
  bool real_kernels = false;
  int threads = 1;
};
std::string to_string(const PlacementCase& made);

PlaceOptions options_of(const PlacementCase& made);

/// Checks cases; what one device computes is remembered per net and batch. Of one thread.
class PlacementCheck {
 public:
  /// Empty, or what is wrong.
  std::string operator()(const PlacementCase& made);
  /// The same for a case without the shardings, layouts and options that it fails without.
  std::string shrunk(PlacementCase made);

 private:
  struct Wanted {
    Values values;
    std::vector<Tensor> outputs;
    std::vector<Tensor> bits;  // of the deterministic program of one rank
  };
  const Wanted& wanted(const PlacementCase& made);
  std::string run(const PlacementCase& made);

  std::map<std::pair<std::string, int64_t>, Wanted> known_;
};

}  // namespace tessera::testing
