// Saving checkpoints. A file appears under its name only when it is complete.
//
//   CheckpointWriter writer("lenet.ckpt");
//   writer.add("fc1.weight", weight);
//   writer.add("epoch_num", int64_t{90});
//   writer.finish();
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "tessera/checkpoint/catalog.h"
#include "tessera/tensor/tensor.h"

namespace tessera {

class CheckpointFormat;

struct WriteOptions {
  std::string format;              // "ckpt", "safetensors", or "" for what the suffix says
  std::string key;                 // encrypts (.ckpt only): 16, 24 or 32 bytes
  std::string cipher = "AES-GCM";  // or "AES-CBC", "SM4-CBC"
  bool crc = false;                // stores MindSpore's CRC; not together with a key
  bool sync = true;                // false: a crash of the machine may lose the file
  std::map<std::string, std::string> metadata;  // of safetensors; "format" is "ms" if not here
  FileSystem* files = nullptr;                  // null: local_file_system()
};

/// One tensor or string to be saved. Tensors may be produced when they are written, so that a file
/// larger than memory can be converted; `produce` may be called more than once.
struct SaveEntry {
  std::string name;
  RecordKind kind = RecordKind::kTensor;
  DType dtype = DType::kF32;
  Shape shape;
  std::function<Tensor()> produce;  // contiguous, of this dtype and shape
  std::string text;                 // of a string, UTF-8
};

/// What every format asks of entries: there are some, and each has a name of its own that is UTF-8.
/// Throws kInvalidArgument.
void check_names(std::span<const SaveEntry> entries);

class CheckpointWriter {
 public:
  /// Throws kInvalidArgument for options that do not go together.
  explicit CheckpointWriter(std::filesystem::path path, WriteOptions options = {});

  void add(std::string name, Tensor tensor);
  void add(SaveEntry entry);
  /// MindSpore's append_dict: an Int64, Float32 or Bool scalar, or a string.
  void add(std::string name, int64_t value);
  void add(std::string name, double value);
  void add(std::string name, bool value);
  void add_text(std::string name, std::string text);

  /// Writes the file; nothing is left of it when this throws, and a file of this name stays as it
  /// was. Throws kInvalidArgument for what the format cannot hold, kIo.
  void finish();

 private:
  std::filesystem::path path_;
  WriteOptions options_;
  const CheckpointFormat* format_;
  std::vector<SaveEntry> entries_;
};

}  // namespace tessera
