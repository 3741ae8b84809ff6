// How fast a model of the zoo runs: the external command of a comparison with other engines.
//
//   bench_infer MODEL BATCH THREADS SECONDS CKPT INPUT LOGITS [deterministic | once | streams]
//
// `streams`: as many runs side by side as there are threads, each on one; images_per_s is of all.
// INPUT holds BATCH images as raw f32; the results are written to LOGITS likewise ("-" for none).
// Prints one JSON object: images_per_s and latency_ms (of the median call), setup_s (from the
// checkpoint to the first prediction), peak_rss_mib.
#include <fstream>
#include <iostream>

#include "bench/arguments.h"
#include "tessera/base/stopwatch.h"
#include "tessera/base/text.h"
#include "tessera/checkpoint/load_plan.h"
#include "tessera/passes/pass.h"
#include "tessera/runtime/measure_runs.h"
#include "tessera/runtime/program.h"
#include "tessera/zoo/zoo.h"

namespace tessera {
namespace {

/// The model of the zoo that the comparison means by `name`, with the head of its checkpoints.
ModelSpec model_called(const std::string& name) {
  if (name == "googlenet_cifar10") return parse_model("googlenet");
  if (name == "resnet50") return parse_model("resnet50(num_classes=1000)");
  return parse_model(name);
}

Tensor read_input(const std::string& path, Shape shape) {
  Tensor input(DType::kF32, std::move(shape));
  std::ifstream file(path, std::ios::binary);
  const std::span<std::byte> bytes = input.mutable_bytes();
  file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  require(file.good(), "{} does not hold the {} bytes of {}", path, bytes.size(), describe(input));
  return input;
}

Program prepare(const ModelSpec& model, const Tensor& input, const std::string& checkpoint_path,
                const CompileOptions& options) {
  const Shape row(input.shape().begin() + 1, input.shape().end());
  const Checkpoint checkpoint = open_checkpoint(checkpoint_path);
  Graph graph = trace(model, input.shape()[0], row);
  std::vector<Target> targets;
  for (const ValueId id : graph.parameters) {
    const ValueInfo& value = graph.values[static_cast<size_t>(id)];
    targets.push_back({value.name, value.dtype, value.shape, whole(value.shape)});
  }
  const std::vector<Tensor> parameters = load_tensors(
      checkpoint, targets, {.threads = options.threads, .map = true, .unaligned = true});
  graph = run_passes(std::move(graph), inference_passes());
  return Program::compile(graph, parameters, options);
}

double peak_rss_mib() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::stod(line.substr(6)) / 1024;
  }
  return 0;
}

void write_logits(const std::string& path, const Tensor& logits) {
  if (path == "-") return;
  std::ofstream file(path, std::ios::binary);
  const std::span<const std::byte> bytes = logits.bytes();
  file.write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
}

/// The word that may follow the seven, or "".
std::string mode_of(std::span<const std::string> words) {
  const std::string mode = words.size() == 8 ? words[7] : "";
  require(words.size() == 7 || mode == "deterministic" || mode == "once" || mode == "streams",
          "seven words wanted: MODEL BATCH THREADS SECONDS CKPT INPUT LOGITS; 'deterministic', "
          "'once' or 'streams' may follow");
  return mode;
}

void bench(std::span<const std::string> words) {
  const std::string mode = mode_of(words);
  const Stopwatch watch;
  const ModelSpec model = model_called(words[0]);
  const int64_t batch = bench::positive(words[1]);
  Shape shape = model.model->row_shape(model.options);
  shape.insert(0, batch);
  const Tensor input = read_input(words[5], shape);
  const Stopwatch setup;
  const int threads = static_cast<int>(bench::positive(words[2]));
  const int streams = mode == "streams" ? threads : 1;
  Program program = prepare(model, input, words[4],
                            {.threads = threads,
                             .deterministic = mode == "deterministic",
                             .runs_once = mode == "once",
                             .streams = streams});
  const Tensor logits = program.run({&input, 1})[0];
  const double setup_seconds = setup.seconds();
  write_logits(words[6], logits);
  if (const char* wanted = std::getenv("TESSERA_EXPLAIN"); wanted != nullptr) {
    std::cerr << program.explain();
  }
  const double seconds = parse_double(words[3]).value_or(1.0);
  measure_runs(program, {&input, 1}, streams, seconds / 10);
  const RunTimes times = measure_runs(program, {&input, 1}, streams, seconds);
  const double rate = mode == "streams" ? times.runs_per_second() : 1 / times.median_seconds;
  std::cout << fmt::format(
      "{{\"images_per_s\": {:.1f}, \"latency_ms\": {:.5f}, \"setup_s\": {:.4f}, "
      "\"peak_rss_mib\": {:.1f}, \"wall_s\": {:.2f}}}\n",
      static_cast<double>(batch) * rate, 1e3 * times.median_seconds, setup_seconds, peak_rss_mib(),
      watch.seconds());
}

}  // namespace
}  // namespace tessera

int main(int argc, char** argv) {
  try {
    tessera::bench(std::vector<std::string>(argv + 1, argv + argc));
    return 0;
  } catch (const std::exception& error) {
    std::cerr << "bench_infer: " << error.what() << '\n';
    return 1;
  }
}
