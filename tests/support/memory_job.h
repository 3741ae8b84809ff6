// Distributed checkpoints in memory, for tests: tensors with distinct values, cut as a random
// strategy says, each rank's part in a file of its own.
#pragma once

#include <algorithm>
#include <random>

#include "tessera/checkpoint/writer.h"
#include "tessera/io/memory_file_system.h"
#include "tessera/reshard/source.h"
#include "tessera/tensor/tensor.h"

namespace tessera::testing {

using NamedTensors = std::vector<std::pair<std::string, Tensor>>;

class MemoryJob {
 public:
  explicit MemoryJob(uint32_t seed) : random_(seed) {}

  int pick(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random_); }

  Tensor tensor(DType dtype, const Shape& shape) {
    Tensor made(dtype, shape);
    for (std::byte& byte : made.mutable_bytes()) byte = static_cast<std::byte>(random_());
    if (dtype == DType::kBool)
      for (std::byte& byte : made.mutable_bytes()) byte &= std::byte{1};
    return made;
  }

  NamedTensors tensors() {
    constexpr DType kKinds[] = {DType::kF32, DType::kF16, DType::kBF16, DType::kU8,
                                DType::kI64, DType::kC64, DType::kBool};
    NamedTensors all;
    const int count = pick(1, 4);
    for (int i = 0; i < count; ++i) {
      Shape shape;
      for (int d = pick(0, 4); d > 0; --d) shape.push_back(pick(1, 7));
      all.emplace_back("t" + std::to_string(i), tensor(kKinds[pick(0, 6)], shape));
    }
    return all;
  }

  /// Every axis splits some dim of each tensor, or none. Extents need not divide.
  Strategy strategy(const NamedTensors& tensors) {
    Strategy strategy;
    std::vector<MeshAxis> axes;
    for (int i = pick(1, 3); i > 0; --i) axes.push_back({"a" + std::to_string(i), pick(1, 3)});
    const MeshPtr mesh = make_mesh(axes);
    strategy.ranks_per_stage = mesh->rank_count();
    for (const auto& [name, tensor] : tensors) {
      ParameterLayout& one = strategy.parameters.emplace_back();
      one.name = name;
      one.layout = replicated(mesh, tensor.ndim());
      for (AxisId axis = 0; axis < static_cast<int>(axes.size()); ++axis) {
        const int dim = pick(-1, static_cast<int>(tensor.ndim()) - 1);
        if (dim >= 0) one.layout.dims[static_cast<size_t>(dim)].push_back(axis);
      }
    }
    index_parameters(strategy);
    return strategy;
  }

  /// The files rank_<i>/net.safetensors below `root`, in an order of tensors of their own.
  std::vector<RankFile> cut(NamedTensors tensors, const Strategy& strategy,
                            const std::string& root = "job") {
    std::shuffle(tensors.begin(), tensors.end(), random_);
    std::vector<RankFile> made;
    for (Rank rank = 0; rank < strategy.rank_count(); ++rank) {
      const std::string path = fmt::format("{}/rank_{}/net.safetensors", root, rank);
      WriteOptions options;
      options.files = &files;
      CheckpointWriter writer(path, options);
      for (const auto& [name, tensor] : tensors) {
        const ParameterLayout* layout = strategy.find(name, 0);
        const Box box =
            layout == nullptr ? whole(tensor.shape()) : slices_of(*layout, tensor.shape(), rank)[0];
        writer.add(name, tensor.slice(box).clone());
      }
      writer.finish();
      made.push_back({rank, path});
    }
    return made;
  }

  Source open(std::span<const RankFile> from, const Strategy* strategy) const {
    SourceOptions options;
    options.open.files = const_cast<MemoryFileSystem*>(&files);
    options.threads = 1;
    return open_source(from, strategy, options);
  }

  Source open_cut(const NamedTensors& tensors, const std::string& root) {
    const Strategy how = strategy(tensors);
    return open(cut(tensors, how, root), &how);
  }

  Source open_whole(const NamedTensors& tensors, const std::string& root) {
    return open(cut(tensors, Strategy{}, root), nullptr);
  }

  MemoryFileSystem files;

 private:
  std::mt19937 random_;
};

}  // namespace tessera::testing
