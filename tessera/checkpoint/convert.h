// Whole files from one format to the other, and a checkpoint that was saved in segments: what
// MindSpore's functions of these names do, with errors where they drop or overwrite in silence.
//
//   ckpt_to_safetensors("ranks", {.save_path = "out"});   // ranks/rank_3/n.ckpt ->
//                                                         // out/rank_3/n.safetensors
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "tessera/checkpoint/checkpoint.h"

namespace tessera {

struct ConvertOptions {
  std::filesystem::path save_path;              // a folder, made when missing; empty: the source's
  std::map<std::string, std::string> name_map;  // a stored name to the one that is saved
  std::string file_name_regex;                  // ECMAScript, searched for in file names
  int threads = 0;                              // files at a time; 0: default_thread_count()
  bool sync = true;                             // as WriteOptions::sync
  OpenOptions open = {};                        // a CRC that is there is checked in any case
};

struct ConvertedFile {
  std::filesystem::path source;
  std::filesystem::path destination;
  std::vector<std::string> metadata_left_out;  // keys that a .ckpt cannot hold
};

/// Converts `source`, a .ckpt file, or the .ckpt files in those folders of the folder `source`
/// whose names begin with "rank"; the folders' and files' names are kept. Files of these names are
/// replaced, each only when it is complete. Throws kInvalidArgument (wrong suffix, a save_path with
/// an extension, a regular expression that is none or fits nothing, a name_map that names what no
/// file has), kNotFound, and what reading and writing throw.
std::vector<ConvertedFile> ckpt_to_safetensors(const std::filesystem::path& source,
                                               const ConvertOptions& options = {});
/// The same from .safetensors to .ckpt.
std::vector<ConvertedFile> safetensors_to_ckpt(const std::filesystem::path& source,
                                               const ConvertOptions& options = {});

/// All .ckpt files of a folder as one checkpoint, in the order of their names. A name may be in
/// several when dtype, shape and bytes are equal: the first counts. Throws kCorruptData naming both
/// files when they differ, kNotFound when the folder holds none.
Checkpoint load_segmented_checkpoints(const std::filesystem::path& folder,
                                      const OpenOptions& options = {});

}  // namespace tessera
