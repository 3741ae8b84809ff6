// In which files a result is laid out: one file per rank in MindSpore's folders, or the folder of
// files that other programs want. Each form is one file in outputs/ that defines
// `const OutputFormat& output_NAME()`, where NAME is the file's name.
#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tessera/checkpoint/format.h"
#include "tessera/reshard/destination.h"

namespace tessera {

/// One checkpoint file of the result.
struct OutputFile {
  std::filesystem::path path;  // inside the destination folder
  Rank rank = 0;               // whose it is
  std::vector<Holding> entries;
  std::map<std::string, std::string> metadata;  // as WriteOptions::metadata
};

/// A small file that is written after all others, an index for example.
struct OutputText {
  std::filesystem::path path;
  std::string text;
};

struct OutputSet {
  std::vector<OutputFile> files;
  std::vector<OutputText> texts;
};

struct OutputRequest {
  const Catalog& catalog;
  const Destination& destination;
  std::string prefix = "model";  // of file names
  /// The records that the source's strategy does not name, by index: MindSpore's unified form keeps
  /// them apart ("hyper parameters": learning_rate, global_step, …). Empty: none are.
  std::set<uint32_t> unnamed = {};
};

class OutputFormat {
 public:
  virtual ~OutputFormat() = default;
  virtual std::string_view name() const = 0;  // "ckpt", as --format says it
  virtual std::string_view doc() const = 0;   // one line for people
  /// The format of every file: ".ckpt" or ".safetensors".
  virtual std::string_view suffix() const = 0;
  /// Whether it holds whole tensors: then the destination has one rank.
  virtual bool is_whole() const { return false; }
  /// Throws kInvalidArgument for what the form cannot hold, naming the tensor.
  virtual OutputSet lay_out(const OutputRequest& request) const = 0;
};

std::span<const OutputFormat* const> all_outputs();
/// The output called so; throws kInvalidArgument with the names there are.
const OutputFormat& find_output(std::string_view name);

/// The shape of the local tensor that a holding makes up.
Shape local_shape(const OutputRequest& request, const Holding& holding);

}  // namespace tessera
