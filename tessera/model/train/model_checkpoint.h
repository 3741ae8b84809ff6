// Saving while training, with MindSpore's file names and rules of what is kept:
//
//   ModelCheckpoint saver("lenet", "out", {.save_checkpoint_steps = 1875});
//   trainer.train(10, data, {&saver});  // out/lenet-1_1875.ckpt, out/lenet-2_1875.ckpt, …
//
// A file appears under its name when it is complete. Of slices an older one goes when every rank
// has the newer: whenever a rank dies, there is a step of which all slices are there.
#pragma once

#include <filesystem>
#include <future>
#include <string>
#include <vector>

#include "tessera/base/stopwatch.h"
#include "tessera/checkpoint/writer.h"
#include "tessera/model/train/trainer.h"

namespace tessera {

/// What happens when a file cannot be written: a full disk.
enum class SaveErrors : uint8_t {
  kThrow,    // training ends
  kContinue  // it is told on stderr, the next save tries again
};

struct CheckpointConfig {
  int64_t save_checkpoint_steps = 1;  // above 0: seconds do not count
  int64_t save_checkpoint_seconds = 0;
  int64_t keep_checkpoint_max = 5;  // files; above 0: minutes do not count
  int64_t keep_checkpoint_per_n_minutes = 0;
  /// Of many ranks: rank 0 saves whole tensors; else each saves its slices.
  bool integrated_save = true;
  /// Tensors are copied and written by a thread of their own; one file at a time.
  bool async_save = false;
  /// "epoch_num" and "step_num", saved as numbers beside the tensors. "batches_in_epoch", which is
  /// ours, makes a run that goes on refuse other epochs.
  std::vector<std::string> append_info = {};
  std::string enc_key = {};  // 16, 24 or 32 bytes
  std::string enc_mode = "AES-GCM";
  bool crc_check = false;
  std::string format = "ckpt";  // or "safetensors"
  SaveErrors on_error = SaveErrors::kThrow;
  /// Seconds since any moment, by which save_checkpoint_seconds and keep_checkpoint_per_n_minutes
  /// count; null: the machine's clock.
  std::function<double()> clock = nullptr;
};

class ModelCheckpoint final : public Callback {
 public:
  /// The directory is made where it is not there. Throws kInvalidArgument for settings that do not
  /// go together, as MindSpore does.
  ModelCheckpoint(std::string prefix, std::filesystem::path directory,
                  CheckpointConfig config = {});
  ~ModelCheckpoint() override;

  void begin(Trainer& trainer) override;
  void step_end(Trainer& trainer, const StepReport& step) override;
  void end(Trainer& trainer) override;

  /// The file saved last; empty where there is none.
  const std::filesystem::path& latest() const { return latest_; }

 private:
  struct Saved {
    std::filesystem::path path;
    double seconds = 0;  // by the clock
  };

  void save(Trainer& trainer, const StepReport& step);
  void write(const std::filesystem::path& path, std::vector<SaveEntry> entries,
             const StepReport& step) const;
  void wait();
  /// Of ranks that save slices: what every one of them says, the least.
  int64_t least_of_all(int64_t mine) const;
  void keep();
  double seconds() const { return config_.clock != nullptr ? config_.clock() : watch_.seconds(); }

  std::string prefix_;
  std::filesystem::path directory_;
  CheckpointConfig config_;
  Communicator* world_ = nullptr;
  Stopwatch watch_;
  double last_seconds_ = 0;
  int64_t last_step_ = 0;     // that was saved or from which seconds count
  StepReport newest_ = {};    // the step made last
  std::vector<Saved> saved_;  // oldest first
  std::filesystem::path latest_;
  std::future<void> writing_;
};

}  // namespace tessera
