#include "tessera/model/train/model_checkpoint.h"

#include <fmt/format.h>

#include <algorithm>

#include "tessera/base/text.h"
#include "tessera/model/train/whole_tensor.h"

namespace tessera {
namespace {

/// The number behind "PREFIX_" in a file's name "PREFIX_3-1_875.ckpt"; 0 for "PREFIX-1_875.ckpt",
/// -1 for another file.
int64_t number_of(std::string_view file, std::string_view prefix) {
  if (!file.starts_with(prefix) || file.size() == prefix.size()) return -1;
  const std::string_view rest = file.substr(prefix.size());
  if (rest.front() == '-') return 0;
  const size_t end = rest.find('-');
  if (rest.front() != '_' || end == std::string_view::npos) return -1;
  return parse_int(rest.substr(1, end - 1)).value_or(-1);
}

void check(const CheckpointConfig& config) {
  for (const auto& [name, value] : std::initializer_list<std::pair<std::string_view, int64_t>>{
           {"save_checkpoint_steps", config.save_checkpoint_steps},
           {"save_checkpoint_seconds", config.save_checkpoint_seconds},
           {"keep_checkpoint_max", config.keep_checkpoint_max},
           {"keep_checkpoint_per_n_minutes", config.keep_checkpoint_per_n_minutes}})
    require(value >= 0, "{} is {}, wants 0 or more", name, value);
  require(config.save_checkpoint_steps + config.save_checkpoint_seconds +
                  config.keep_checkpoint_max + config.keep_checkpoint_per_n_minutes >
              0,
          "steps, seconds, max and minutes are all 0: nothing would be saved");
  require(config.format == "ckpt" || config.format == "safetensors",
          "checkpoints are saved as ckpt or safetensors, got '{}'", printable(config.format));
  require(config.format == "ckpt" || (config.enc_key.empty() && !config.crc_check),
          "safetensors files are neither encrypted nor have a CRC: save as ckpt");
  require(config.enc_key.empty() || !config.crc_check,
          "an encrypted file has no CRC: leave one of both out");
  for (const std::string& name : config.append_info)
    require(name == "epoch_num" || name == "step_num" || name == kBatchesInEpoch,
            "append_info takes epoch_num, step_num and {}, got '{}'", kBatchesInEpoch,
            printable(name));
}

}  // namespace

ModelCheckpoint::ModelCheckpoint(std::string prefix, std::filesystem::path directory,
                                 CheckpointConfig config)
    : prefix_(std::move(prefix)), directory_(std::move(directory)), config_(std::move(config)) {
  require(!prefix_.empty() && prefix_.find('/') == std::string::npos,
          "'{}' cannot begin the names of files: no '/' may be in it", printable(prefix_));
  check(config_);
  if (config_.save_checkpoint_steps > 0) config_.save_checkpoint_seconds = 0;
  if (config_.keep_checkpoint_max > 0) config_.keep_checkpoint_per_n_minutes = 0;
  if (config_.keep_checkpoint_max == 0 && config_.keep_checkpoint_per_n_minutes == 0)
    config_.keep_checkpoint_max = 1;
}

ModelCheckpoint::~ModelCheckpoint() {
  if (writing_.valid()) writing_.wait();
}

/// Files of an earlier run keep their names: this one's get a number.
void ModelCheckpoint::begin(Trainer& trainer) {
  watch_ = Stopwatch();
  last_seconds_ = seconds();
  last_step_ = trainer.step_count();
  newest_ = {.global_step = last_step_};
  std::error_code error;
  std::filesystem::create_directories(directory_, error);
  if (error)
    fail(ErrorCode::kIo, "the folder '{}' for checkpoints cannot be made: {}", directory_.string(),
         error.message());
  int64_t largest = -1;
  for (const auto& entry : std::filesystem::directory_iterator(directory_)) {
    const std::string file = entry.path().filename().string();
    largest = std::max(largest, number_of(file, prefix_));
  }
  world_ = trainer.world();
  if (world_ != nullptr && config_.integrated_save) world_->barrier();  // before one writes
  largest = -least_of_all(-largest);  // slices of one step have one name
  if (largest >= 0) prefix_ += fmt::format("_{}", largest + 1);
}

void ModelCheckpoint::step_end(Trainer& trainer, const StepReport& step) {
  newest_ = step;
  const bool by_steps = config_.save_checkpoint_steps > 0;
  bool due = by_steps && step.global_step - last_step_ >= config_.save_checkpoint_steps;
  if (!by_steps && config_.save_checkpoint_seconds > 0) {
    due = seconds() - last_seconds_ >= static_cast<double>(config_.save_checkpoint_seconds);
    due = trainer.all_agree(due);
  }
  if (due) save(trainer, step);
}

void ModelCheckpoint::end(Trainer& trainer) {
  if (newest_.global_step != last_step_) save(trainer, newest_);
  wait();
}

void ModelCheckpoint::save(Trainer& trainer, const StepReport& step) {
  last_step_ = step.global_step;
  last_seconds_ = seconds();
  const bool collects = config_.integrated_save && trainer.world() != nullptr;
  const std::vector<TrainedTensor> tensors =
      collects ? trainer.tensors_of_all_ranks() : trainer.tensors();
  if (collects && trainer.rank() != 0) {
    for (const TrainedTensor& tensor : tensors) whole_tensor(tensor, trainer.world());
    return;
  }
  wait();
  const std::filesystem::path path =
      directory_ / fmt::format("{}-{}_{}.{}", prefix_, step.epoch, step.step, config_.format);
  latest_ = path;
  saved_.push_back({path, seconds()});
  // One tensor is collected from the ranks while the one before is written.
  std::vector<std::promise<Tensor>> coming(tensors.size());
  std::vector<SaveEntry> entries;
  for (size_t i = 0; i < tensors.size(); ++i)
    entries.push_back(
        {.name = tensors[i].name,
         .dtype = tensors[i].values.dtype(),
         .shape = collects ? tensors[i].shape : tensors[i].values.shape(),
         .produce = [value = coming[i].get_future().share()] { return value.get().contiguous(); }});
  const bool at_once = collects || config_.async_save;
  writing_ = std::async(at_once ? std::launch::async : std::launch::deferred,
                        [this, path, step, entries = std::move(entries)]() mutable {
                          write(path, std::move(entries), step);
                        });
  for (size_t i = 0; i < tensors.size(); ++i) {
    Tensor values = tensors[i].values;
    if (collects) values = whole_tensor(tensors[i], trainer.world());
    const bool is_own = collects && values.buffer() != tensors[i].values.buffer();
    coming[i].set_value(config_.async_save && !is_own ? values.clone() : values);
  }
  if (!config_.async_save) wait();
}

void ModelCheckpoint::write(const std::filesystem::path& path, std::vector<SaveEntry> entries,
                            const StepReport& step) const {
  CheckpointWriter writer(path, {.format = config_.format,
                                 .key = config_.enc_key,
                                 .cipher = config_.enc_mode,
                                 .crc = config_.crc_check});
  for (SaveEntry& entry : entries) writer.add(std::move(entry));
  for (const std::string& name : config_.append_info)
    writer.add(name, name == "epoch_num"  ? step.epoch
                     : name == "step_num" ? step.global_step
                                          : step.steps_in_epoch);
  writer.finish();
}

void ModelCheckpoint::wait() {
  if (!writing_.valid()) return;
  bool is_written = true;
  try {
    writing_.get();
  } catch (const Error& error) {
    const std::filesystem::path path = saved_.back().path;
    saved_.pop_back();
    latest_ = saved_.empty() ? std::filesystem::path() : saved_.back().path;
    if (config_.on_error == SaveErrors::kThrow) throw;
    fmt::print(stderr, "{} was not saved: {}\n", path.string(), error.what());
    is_written = false;
  }
  if (least_of_all(static_cast<int64_t>(is_written)) == 1) keep();
}

int64_t ModelCheckpoint::least_of_all(int64_t mine) const {
  if (world_ == nullptr || config_.integrated_save) return mine;
  Tensor least = Tensor::scalar(mine);
  world_->all_reduce(least, ReduceOp::kMin);
  return least.data<int64_t>()[0];
}

void ModelCheckpoint::keep() {
  const auto drop = [&](size_t i) {
    std::error_code ignored;  // somebody has removed it already
    std::filesystem::remove(saved_[i].path, ignored);
    saved_.erase(saved_.begin() + static_cast<std::ptrdiff_t>(i));
  };
  if (config_.keep_checkpoint_max > 0) {
    while (std::ssize(saved_) > config_.keep_checkpoint_max) drop(0);
    return;
  }
  // One file per so many minutes: of those that lie nearer together the oldest stays.
  const double apart = static_cast<double>(config_.keep_checkpoint_per_n_minutes) * 60;
  for (size_t i = 1; i < saved_.size();) {
    if (i + 1 < saved_.size() && saved_[i].seconds - saved_[i - 1].seconds < apart)
      drop(i);
    else
      ++i;
  }
}

}  // namespace tessera
