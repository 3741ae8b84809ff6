// One way of running a graph from its inputs to its outputs: the threads it has, and the memory. Of
// several streams each runs by itself.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "tessera/base/workers.h"
#include "tessera/runtime/internal/executor.h"

namespace tessera::internal {

class Stream {
 public:
  /// A thread's way of computing pieces of the batch: one executor per size of piece, or the only
  /// one of a graph that is not cut.
  struct Lane {
    std::vector<Executor> executors;
  };
  /// Rows of the batch, and which executor of a lane computes so many.
  struct Piece {
    int64_t begin = 0;
    int64_t end = 0;
    size_t executor = 0;
  };

  /// `options.threads` (above 0): of this stream. Prepares the graph whole, or in pieces of its
  /// batch that threads compute side by side and one after the other, where that is worth it.
  Stream(std::shared_ptr<const Graph> graph, Constants& constants, const CompileOptions& options);

  /// As Executor::run; one run at a time. `seconds`: per lane, one per step.
  void run(std::span<const Tensor> inputs, std::span<Tensor> outputs,
           std::span<std::vector<double>> seconds);

  std::span<const Lane> lanes() const { return lanes_; }
  std::span<const Piece> pieces() const { return pieces_; }  // empty: the graph is not cut

 private:
  bool cut_batch(const Graph& graph, Constants& constants, const CompileOptions& options);
  void run_piece(size_t lane, const Piece& piece, std::span<const Tensor> inputs,
                 std::span<Tensor> outputs, std::span<std::vector<double>> seconds);

  std::vector<Lane> lanes_;
  std::vector<Piece> pieces_;
  std::unique_ptr<Workers> workers_;
};

}  // namespace tessera::internal
