// A random job for the campaign: tensors, and how the ranks of both sides hold them. Nothing here
// knows the code under test: `elements_of` is index arithmetic on the definition of a cut.
#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace tessera::testing {

using Random = std::mt19937_64;
/// A number of [0, bound).
size_t below(Random& random, size_t bound);
bool chance(Random& random, int percent);

struct ElementType {
  const char* ckpt;         // "Float32"
  const char* safetensors;  // "F32"
  int width;
};

struct TensorSpec {
  std::string name;
  const ElementType* type = nullptr;
  std::vector<int64_t> shape;
  uint64_t salt = 0;  // of its values

  int64_t count() const;
  /// The bytes of the element with this row-major index.
  std::string element(int64_t index) const;
};

/// How one tensor lies on the ranks of one stage.
struct Cut {
  std::vector<int> matrix;             // of devices, row-major; one device: for any number of ranks
  std::vector<std::vector<int>> dims;  // per dim the places in `matrix`, major first
  int optimizer_size = 0;
  int optimizer_step = 0;
  std::vector<int64_t> rows;  // of each part, where they are listed
};

/// One side of a job.
struct Side {
  bool has_strategy = true;  // without: every rank holds everything
  int stages = 1;
  int per_stage = 1;
  std::vector<std::vector<std::optional<Cut>>> cuts;  // by tensor and stage; none: not named
  std::vector<std::vector<bool>> unnamed_stages;      // where a tensor without a cut lies

  int ranks() const { return stages * per_stage; }
  bool is_named(size_t tensor) const;
};

struct Job {
  std::vector<TensorSpec> tensors;
  Side from, to;
};

Job random_job(Random& random, bool may_be_empty);

/// Per dim the begin and end of what a place of a stage holds.
struct Range {
  int64_t begin = 0, end = 0;
};
std::vector<Range> ranges_of(const Cut& cut, const TensorSpec& tensor, int place);
/// The elements of `tensor` that `rank` holds, in row-major order of the global tensor, or nothing
/// where it has none of the tensor; `shape` becomes the local shape.
std::optional<std::vector<int64_t>> elements_of(const Side& side, const Job& job, size_t tensor,
                                                int rank, std::vector<int64_t>& shape);

/// For people who repeat a case.
std::string describe(const Job& job);

}  // namespace tessera::testing
