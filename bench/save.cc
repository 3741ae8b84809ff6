// How fast ModelCheckpoint saves what a training on ranks keeps, beside plain write() and fsync()
// of the same bytes to the same folder, in turns.
//
//   bench_save FOLDER [MIB [RANKS [ROUNDS]]]
//
// The ranks are threads that hold rows of an mlp's weights and moments: "slices" is one file per
// rank, "integrated" one file of everything. Prints one JSON object; "ratio" is the median time of
// plain writing by that of saving.
#include <fcntl.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <iostream>

#include "bench/arguments.h"
#include "tessera/base/stopwatch.h"
#include "tessera/comm/communicator.h"
#include "tessera/model/train/model_checkpoint.h"
#include "tessera/runtime/measure_runs.h"

namespace tessera {
namespace {

namespace fs = std::filesystem;

struct Setting {
  fs::path folder;
  int64_t mib = 1024;
  int ranks = 4;
  int rounds = 5;
};

struct Seconds {
  std::vector<double> saved, plain;
};

/// The time from when all ranks begin until all have ended.
template <typename Work>
double timed(Communicator& world, const Work& work) {
  world.barrier();
  const Stopwatch watch;
  work();
  world.barrier();
  return watch.seconds();
}

void write_plainly(const fs::path& path, std::span<const TrainedTensor> tensors) {
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  bool good = file >= 0;
  for (const TrainedTensor& tensor : tensors) {
    std::span<const std::byte> bytes = tensor.values.bytes();
    while (good && !bytes.empty()) {
      const ssize_t put = ::write(file, bytes.data(), bytes.size());
      good = put > 0;
      if (good) bytes = bytes.subspan(static_cast<size_t>(put));
    }
  }
  good = good && ::fsync(file) == 0;
  if (file >= 0) ::close(file);
  require(good, "{} cannot be written", path.string());
}

void measure(const Setting& setting, Trainer& trainer, bool integrated, Seconds& seconds) {
  Communicator& world = *trainer.world();
  const fs::path folder =
      setting.folder / (integrated ? "all" : fmt::format("rank_{}_ckpt", world.rank()));
  ModelCheckpoint saver("s", folder, {.integrated_save = integrated});
  saver.begin(trainer);
  std::vector<TrainedTensor> tensors = trainer.tensors();
  if (integrated) {  // as many bytes in one file
    for (TrainedTensor& tensor : tensors) {
      tensor.values = Tensor(tensor.values.dtype(), tensor.shape);
      if (world.rank() == 0) std::ranges::fill(tensor.values.mutable_bytes(), std::byte{1});
    }
  }
  for (int round = 0; round <= setting.rounds; ++round) {
    const StepReport step{.epoch = 1, .step = round + 2, .global_step = round + 2};
    const double saved = timed(world, [&] { saver.step_end(trainer, step); });
    if (!saver.latest().empty()) fs::remove(saver.latest());
    const double plain = timed(world, [&] {
      if (!integrated || world.rank() == 0) write_plainly(folder / "plain", tensors);
    });
    if (!integrated || world.rank() == 0) fs::remove(folder / "plain");
    if (world.rank() != 0 || round == 0) continue;  // the first takes memory from the system
    seconds.saved.push_back(saved);
    seconds.plain.push_back(plain);
  }
}

std::string json(std::string_view name, const Seconds& seconds) {
  return fmt::format("\"{}\": {{\"saved_s\": {:.3f}, \"plain_s\": {:.3f}, \"ratio\": {:.3f}}}",
                     name, median(seconds.saved), median(seconds.plain),
                     median(seconds.plain) / median(seconds.saved));
}

void run(const Setting& setting) {
  // A weight of [n,784], seven of [n,n], and as many moments.
  const double parameters = static_cast<double>(setting.mib) * (1 << 20) / 8;
  const auto wanted = static_cast<int64_t>(std::sqrt(parameters / 7 + 56.0 * 56.0) - 56);
  const int64_t n = std::max<int64_t>(64, wanted / 64 * 64);
  Seconds slices, integrated;
  run_world({.ranks = setting.ranks}, [&](Communicator& world) {
    RunOptions run{.threads = 1, .world = &world};
    run.place.mesh = make_mesh({{"tp", setting.ranks}});
    run.place.layout_of = [mesh = run.place.mesh](const ValueInfo& value) -> std::optional<Layout> {
      if (value.shape.size() != 2 || value.shape[0] < 64) return std::nullopt;
      return parse_layout("[tp, -]", mesh);
    };
    Model model = Model::open(
        {.model = fmt::format("mlp(hidden=[{0},{0},{0},{0},{0},{0},{0},{0}])", n)}, run);
    Trainer trainer(model, {});
    trainer.train(1, Pipeline(open_rows("digits:test[:4]")).map("rescale(1/255) to_chw").batch(4));
    measure(setting, trainer, false, slices);
    measure(setting, trainer, true, integrated);
  });
  std::cout << fmt::format("{{\"mib\": {}, \"ranks\": {}, {}, {}}}\n", setting.mib, setting.ranks,
                           json("slices", slices), json("integrated", integrated));
}

}  // namespace
}  // namespace tessera

int main(int argc, char** argv) {
  try {
    tessera::require(argc >= 2, "usage: bench_save FOLDER [MIB [RANKS [ROUNDS]]]");
    tessera::Setting setting{.folder = argv[1]};
    if (argc > 2) setting.mib = bench::positive(argv[2]);
    if (argc > 3) setting.ranks = static_cast<int>(bench::positive(argv[3]));
    if (argc > 4) setting.rounds = static_cast<int>(bench::positive(argv[4]));
    tessera::run(setting);
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
}
