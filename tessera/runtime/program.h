// A graph made ready to run: one prepared kernel per node, weights in their kernels' formats,
// memory for all activations planned once.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "tessera/graph/graph.h"
#include "tessera/graph/precision.h"

namespace tessera {

struct CompileOptions {
  int threads = 0;              // 0: all processors of this process
  bool reference_only = false;  // every node by its reference kernel
  /// Position-independent kernels only: f32 results are bit-identical for any number of threads,
  /// and for any cut over ranks that leaves reduced factors whole, on one type of processor.
  bool deterministic = false;
  /// What is asked for and cannot be had is refused: compile throws kUnsupported where the
  /// processor lacks the instructions (ops/precision_support.h).
  Precision precision = Precision::kF32;
  /// The program will run once, or a few times: nothing is prepared that takes longer than it saves
  /// then. Large weights are read where the parameters lie, which the program keeps.
  bool runs_once = false;
  /// How many runs go on side by side, each with threads / streams threads: 1 to the number of
  /// threads. One thread for each run gives more runs per second, all threads for one run the
  /// shortest run. Each stream has memory for activations of its own; weights are shared.
  int streams = 1;
  /// The ranks that run their graphs together, each its own. All compile, and all run, at the same
  /// time: what one computes while compiling may need the others. Must outlive the program.
  Communicator* world = nullptr;
  /// For memory() and explain() alone: nothing is computed, the parameters are not read and the
  /// world is not used (comm/planned_rank.h); run() throws.
  bool plan_only = false;
};

/// Bytes that a program needs beside the parameters that it was given.
struct ProgramMemory {
  int64_t formatted = 0;    // parameters in their kernels' formats, and what is computed from them
  int64_t kernels = 0;      // what kernels hold: packed weights, scratch memory
  int64_t activations = 0;  // the arenas
  int64_t running = 0;      // most that one kernel allocates while it runs
  int64_t inputs = 0;       // of one run
  int64_t outputs = 0;
};

/// What one step of a program took in one run.
struct StepTime {
  std::string name;          // of the value it makes
  std::string op;            // "conv2d+bias+relu of conv1", "reorder"
  std::string kernel;        // "onednn jit:avx512_core"
  double seconds = 0;        // the average of the threads, where the batch is cut
  double multiply_adds = 0;  // of the whole batch
};

class Program {
 public:
  /// `parameters`: one tensor per graph.parameters, in that order, of the same dtype and the shape
  /// of what is here of it.
  /// Nodes that depend on constants and parameters alone are computed here. Throws kInvalidArgument
  /// for tensors that do not fit and streams that the threads are too few for, kUnsupported when no
  /// kernel can compute a node, or a graph with updates or a world is to have several streams.
  static Program compile(const Graph& graph, std::span<const Tensor> parameters,
                         const CompileOptions& options = {});
  Program(Program&&) noexcept;
  Program& operator=(Program&&) noexcept;
  ~Program();

  /// One tensor per graph.inputs, row-major; gives one per graph.outputs, row-major and the
  /// caller's own. May be called by many threads: as many runs as there are streams go on at the
  /// same time, further callers wait for one to end. A program with updates or a world has one
  /// stream and is run by one thread at a time.
  std::vector<Tensor> run(std::span<const Tensor> inputs);

  /// Runs once, on one stream, and says what each step took. The results are thrown away.
  std::vector<StepTime> time_steps(std::span<const Tensor> inputs);

  /// Per node: kernel, why better ones were refused, formats, reorders, bytes; then the memory
  /// plan.
  std::string explain() const;
  /// Bytes of activations, of weights.
  int64_t activation_bytes() const;
  int64_t weight_bytes() const;
  ProgramMemory memory() const;

 private:
  struct State;
  class Turn;
  std::vector<Tensor> run(std::span<const Tensor> inputs,
                          std::span<std::vector<double>> seconds_of_parts);
  explicit Program(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace tessera
