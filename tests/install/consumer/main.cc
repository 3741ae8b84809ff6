// A program outside Tessera's tree: builds a model, runs it, opens a file.
#include <fmt/core.h>

#include "tessera/checkpoint/checkpoint.h"
#include "tessera/runtime/program.h"
#include "tessera/zoo/zoo.h"

int main(int argc, char** argv) {
  using namespace tessera;
  const Graph graph = trace(parse_model("mlp(hidden=[4])"), 2, {1, 3, 3});
  std::vector<Tensor> parameters;
  for (const ValueId id : graph.parameters) {
    Tensor zeros(DType::kF32, graph.type(id).global);
    for (float& value : zeros.mutable_data<float>()) value = 0;
    parameters.push_back(zeros);
  }
  Program program = Program::compile(graph, parameters);
  Tensor x(DType::kF32, {2, 1, 3, 3});
  for (float& value : x.mutable_data<float>()) value = 1;
  const std::vector<Tensor> inputs{x};
  fmt::print("{}\n", describe(program.run(inputs).front()));
  if (argc > 1) fmt::print("{} records\n", open_catalog(argv[1]).records.size());
  return 0;
}
