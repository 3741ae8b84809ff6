// Runs the steps of one graph in one arena, on the thread that calls.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "tessera/runtime/internal/memory_plan.h"
#include "tessera/runtime/internal/steps.h"

namespace tessera::internal {

class Executor {
 public:
  /// `options.threads` (above 0): how many threads the kernels may use.
  Executor(std::shared_ptr<const Graph> graph, Constants& constants, const CompileOptions& options);

  /// Inputs and outputs are row-major and of the graph's types; outputs are written.
  /// `seconds`: one per step, to which its time is added; empty: not measured.
  void run(std::span<const Tensor> inputs, std::span<Tensor> outputs,
           std::span<double> seconds = {});

  std::string explain() const;
  const Graph& graph() const { return *graph_; }
  const Steps& steps() const { return plan_; }
  int64_t activation_bytes() const { return memory_.total; }
  int64_t weight_bytes() const { return plan_.weight_bytes; }

 private:
  /// A tensor of a step that lies in an input or output of the run: bound again at every run.
  struct Rebind {
    size_t step;
    bool is_result;
    size_t position;
  };
  /// A step with the tensors it reads and writes.
  struct BoundStep {
    PreparedKernel* kernel = nullptr;  // null: copy operand 0 to result 0
    int64_t copy_bytes = 0;
    std::vector<Tensor> operands;
    std::vector<Tensor> results;
  };

  void plan_arena();
  void bind();
  Tensor bound_tensor(const Slot& slot) const;
  void rebind(StorageId storage, const std::shared_ptr<Buffer>& buffer, int64_t offset);
  void release(StorageId storage);
  void run_step(size_t index);
  bool is_written_by_steps(size_t output) const;

  std::shared_ptr<const Graph> graph_;  // prepared kernels and steps refer to it
  int threads_;
  Steps plan_;
  MemoryPlan memory_;
  std::vector<int64_t> arena_offsets_;  // per storage; -1 where it is not in the arena
  std::shared_ptr<Buffer> arena_;
  std::vector<BoundStep> bound_;
  std::vector<std::vector<Rebind>> rebinds_;  // per storage that is an input or output
};

}  // namespace tessera::internal
