// The files of a job as its ranks see them: who sees which, what their headers say, and whether two
// ranks mean the same file.
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "tessera/checkpoint/headers.h"
#include "tessera/comm/communicator.h"
#include "tessera/reshard/assign_readers.h"
#include "tessera/reshard/rank_files.h"
#include "tessera/reshard/source.h"

namespace tessera::internal {

/// `mine` of every rank, by rank. Collective.
std::vector<std::string> gather_bytes(Communicator& world, std::string_view mine);

class SeenFiles {
 public:
  /// Collective: the ranks tell each other of `files`, of which each sees those that are there, and
  /// one of those that see a file reads its headers. Throws kNotFound for a file that no rank sees,
  /// kCorruptData where two ranks see different ones, naming ranks and file.
  SeenFiles(Communicator& world, std::span<const RankFile> files, const OpenOptions& options,
            int threads);

  /// The source that all files together are, equal on all ranks. To be called once.
  Source make_source(const Strategy* strategy, const SourceOptions& options);
  /// Of the source's files.
  const JobView& view() const { return view_; }
  /// Opens what this rank reads (is_read, by the index in Catalog::files) and has not opened yet.
  void open_for_reading(Source& source, const std::vector<bool>& is_read);

 private:
  /// What a rank says of a file.
  struct Sight {
    Rank of = 0;        // of the source
    uint32_t part = 0;  // of several that make up the checkpoint of that rank
    bool is_seen = false;
    uint64_t bytes = 0;
    Digest sample;  // of its ends
    std::string path;
  };
  struct File {
    std::pair<Rank, uint32_t> of;  // rank and part
    std::vector<Rank> seers;
    Sight sight;                 // of the first of them
    std::filesystem::path path;  // here, where this rank sees it
    Rank opener = 0;
    Digest headers;
    Checkpoint opened;      // by this rank; `bytes` is null where it has not
    Checkpoint described;   // by the opener's headers, until they are in the source
    size_t first_file = 0;  // in the source's catalog
    size_t file_count = 0;
  };

  void look_at(Sight& sight) const;
  static std::string encode(std::span<const Sight> sights);
  static std::vector<Sight> decode(std::string_view bytes, Rank from);
  void add(Sight sight, Rank from);
  void choose_openers();
  void exchange_headers(Communicator& world);
  void take_headers(std::string_view bytes, Rank from);

  OpenOptions options_;
  int threads_;
  Rank rank_;
  std::vector<File> files_;                              // by `of`, ascending, once all are known
  std::map<std::pair<Rank, uint32_t>, size_t> numbers_;  // until then
  JobView view_;
};

}  // namespace tessera::internal
