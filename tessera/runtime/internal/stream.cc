#include "tessera/runtime/internal/stream.h"

#include <algorithm>
#include <atomic>

#include "tessera/base/parallel.h"
#include "tessera/runtime/internal/batch.h"

namespace tessera::internal {
namespace {

/// Rows [begin, end) of a row-major tensor.
Tensor rows_of(const Tensor& tensor, int64_t begin, int64_t end) {
  Shape shape = tensor.shape();
  const int64_t row_bytes = shape[0] == 0 ? 0 : tensor.byte_count() / shape[0];
  shape[0] = end - begin;
  return Tensor::view(tensor.buffer(), tensor.byte_offset() + begin * row_bytes, tensor.dtype(),
                      std::move(shape));
}

}  // namespace

Stream::Stream(std::shared_ptr<const Graph> graph, Constants& constants,
               const CompileOptions& options) {
  if (cut_batch(*graph, constants, options)) return;
  lanes_.emplace_back();
  lanes_[0].executors.emplace_back(std::move(graph), constants, options);
}

/// False where the rows cannot be computed apart, or are not worth it.
bool Stream::cut_batch(const Graph& graph, Constants& constants, const CompileOptions& options) {
  // One row cannot be cut: its rules need not be read to see that.
  const Shape first = graph.inputs.empty() ? Shape() : graph.type(graph.inputs[0]).shape();
  if (first.empty() || first[0] < 2) return false;
  const int64_t rows = batch_of(graph);
  const int64_t count = piece_count(graph, rows, options.threads);
  if (count < 2) return false;
  const int64_t lane_count = std::min<int64_t>(options.threads, count);
  CompileOptions lane_options = options;
  lane_options.threads = std::max(1, options.threads / static_cast<int>(lane_count));
  std::vector<std::shared_ptr<const Graph>> graphs;  // per size of piece
  std::vector<int64_t> sizes;
  for (int64_t i = 0; i < count; ++i) {
    const int64_t begin = rows * i / count;
    const int64_t end = rows * (i + 1) / count;
    const auto size = std::find(sizes.begin(), sizes.end(), end - begin);
    pieces_.push_back({begin, end, static_cast<size_t>(size - sizes.begin())});
    if (size != sizes.end()) continue;
    std::optional<Graph> cut = with_batch(graph, end - begin);
    if (!cut) {
      pieces_.clear();
      return false;
    }
    sizes.push_back(end - begin);
    graphs.push_back(std::make_shared<const Graph>(std::move(*cut)));
  }
  for (int64_t lane = 0; lane < lane_count; ++lane) {
    lanes_.emplace_back();
    for (const auto& cut : graphs) {
      lanes_.back().executors.emplace_back(cut, constants, lane_options);
    }
  }
  if (lane_count > 1) workers_ = std::make_unique<Workers>(static_cast<int>(lane_count) - 1);
  return true;
}

void Stream::run_piece(size_t lane, const Piece& piece, std::span<const Tensor> inputs,
                       std::span<Tensor> outputs, std::span<std::vector<double>> seconds) {
  std::vector<Tensor> in;
  std::vector<Tensor> out;
  for (const Tensor& input : inputs) in.push_back(rows_of(input, piece.begin, piece.end));
  for (const Tensor& output : outputs) out.push_back(rows_of(output, piece.begin, piece.end));
  lanes_[lane].executors[piece.executor].run(
      in, out, seconds.empty() ? std::span<double>() : std::span<double>(seconds[lane]));
}

void Stream::run(std::span<const Tensor> inputs, std::span<Tensor> outputs,
                 std::span<std::vector<double>> seconds) {
  if (pieces_.empty()) {
    lanes_[0].executors[0].run(
        inputs, outputs, seconds.empty() ? std::span<double>() : std::span<double>(seconds[0]));
    return;
  }
  std::atomic<size_t> next = 0;
  const auto run_lane = [&](size_t lane) {
    for (size_t i = next++; i < pieces_.size(); i = next++) {
      run_piece(lane, pieces_[i], inputs, outputs, seconds);
    }
  };
  if (workers_ == nullptr) {
    run_lane(0);
  } else {
    workers_->run(lanes_.size(), IndexTask(run_lane));
  }
}

}  // namespace tessera::internal
