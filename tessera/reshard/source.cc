#include "tessera/reshard/source.h"

#include <algorithm>
#include <map>
#include <unordered_map>
#include <utility>

#include "tessera/base/error.h"
#include "tessera/base/parallel.h"
#include "tessera/base/text.h"
#include "tessera/reshard/internal/assemble.h"

namespace tessera {
namespace {

using internal::Holder;
using internal::Holders;

/// The shards of all files by the name of their tensor.
class Collection {
 public:
  Collection(std::span<const RankFile> files, const SourceOptions& options)
      : files_(files), options_(options), excepted_(options.except.size(), false) {}

  void open_all(Source& source) {
    constexpr size_t kAtOnce = 16;  // so that not all catalogs are in memory together
    for (size_t begin = 0; begin < files_.size(); begin += kAtOnce) {
      const size_t count = std::min(kAtOnce, files_.size() - begin);
      std::vector<Checkpoint> opened(count);
      parallel_for(count, thread_count(options_.threads),
                   [&](size_t i) { opened[i] = open(files_[begin + i]); });
      for (size_t i = 0; i < count; ++i) add(files_[begin + i], std::move(opened[i]), source);
    }
    list_unmatched(source);
  }
  void take_all(std::vector<Checkpoint> opened, Source& source) {
    for (size_t i = 0; i < opened.size(); ++i) add(files_[i], std::move(opened[i]), source);
    list_unmatched(source);
  }

  std::vector<Holders> take() { return std::move(all_); }
  std::vector<std::shared_ptr<const RandomAccessFile>> take_bytes() { return std::move(bytes_); }

 private:
  Checkpoint open(const RankFile& file) const {
    const ErrorContext context(
        [&] { return fmt::format("opening the file of rank {}", file.rank); });
    Checkpoint checkpoint = open_checkpoint(file.path, options_.open);
    return checkpoint;
  }

  void list_unmatched(Source& source) const {
    for (size_t e = 0; e < excepted_.size(); ++e)
      if (!excepted_[e]) source.unmatched.push_back(options_.except[e]);
  }

  bool is_left_out(const std::string& name) {
    bool is_out = false;
    for (size_t e = 0; e < options_.except.size(); ++e) {
      if (!matches(options_.except[e], name)) continue;
      excepted_[e] = is_out = true;
    }
    return is_out;
  }

  void add(const RankFile& file, Checkpoint opened, Source& source) {
    const int first = static_cast<int>(source.checkpoint.catalog.files.size());
    const std::vector<std::string> names = map_names(opened.catalog.names(), options_.renaming);
    for (size_t i = 0; i < names.size(); ++i) {
      Record& record = opened.catalog.records[i];
      const bool is_left_out_by_rule = names[i].empty() && !record.name.empty();
      if (is_left_out_by_rule || !names[i].starts_with(options_.prefix)) continue;
      const std::string stored =
          std::exchange(record.name, names[i].substr(options_.prefix.size()));
      if (is_left_out(record.name)) continue;
      const auto [known, is_new] = by_name_.try_emplace(record.name, all_.size());
      if (is_new) {
        Holders& holders = all_.emplace_back();
        holders.name = record.name;
        holders.stored_name = stored;
        holders.kind = record.kind;
        holders.dtype = record.dtype;
      }
      Holders& holders = all_[known->second];
      if (holders.kind != record.kind || holders.dtype != record.dtype)
        fail(ErrorCode::kCorruptData, "'{}' is {} in {} of rank {} but {} in that of rank {}",
             printable(record.name), describe(record), printable(file.path.string()), file.rank,
             to_string(holders.dtype), holders.all[0].rank);
      for (Piece& piece : record.pieces) piece.file += first;
      for (Record& part : record.parts)
        for (Piece& piece : part.pieces) piece.file += first;
      holders.all.push_back({file.rank, std::move(record)});
    }
    Catalog& catalog = source.checkpoint.catalog;
    for (CatalogFile& one : opened.catalog.files) {
      catalog.files.push_back(std::move(one));
      source.rank_of_file.push_back(file.rank);
    }
    for (std::string& note : opened.catalog.deviations)
      catalog.deviations.push_back(fmt::format("rank {}: {}", file.rank, note));
    catalog.metadata.merge(opened.catalog.metadata);
    for (const auto& bytes : opened.bytes->files()) bytes_.push_back(bytes);
  }

  std::span<const RankFile> files_;
  const SourceOptions& options_;
  std::vector<bool> excepted_;  // which patterns left something out
  std::unordered_map<std::string, size_t> by_name_;
  std::vector<Holders> all_;
  std::vector<std::shared_ptr<const RandomAccessFile>> bytes_;
};

/// How many ranks the strategy speaks of, when `given` files are there.
int ranks_of(const Strategy* strategy, std::span<const RankFile> files) {
  const int given = files.back().rank + 1;
  if (strategy == nullptr || strategy->ranks_per_stage == 1)
    return std::max(given, strategy == nullptr ? 1 : strategy->stage_count);
  require(given <= strategy->rank_count(),
          "the strategy is for {} ranks ({} stage{} of {}) but there is a file of rank {}: it "
          "belongs to another training run",
          strategy->rank_count(), strategy->stage_count, strategy->stage_count == 1 ? "" : "s",
          strategy->ranks_per_stage, files.back().rank);
  return strategy->rank_count();
}

void note_missing_ranks(std::span<const RankFile> files, Source& source) {
  std::vector<std::string> missing;
  size_t next = 0;
  for (Rank rank = 0; rank < source.rank_count; ++rank) {
    if (next < files.size() && files[next].rank == rank) {
      ++next;
    } else {
      missing.push_back(std::to_string(rank));
    }
  }
  if (!missing.empty())
    source.notes.push_back(fmt::format(
        "no file of rank {} of {} is given; replicas of their slices are used where there are any",
        join(missing, ", "), source.rank_count));
}

void check_strategy_fits(const Strategy& strategy, std::span<const Holders> all) {
  std::vector<std::string> names;
  for (const Holders& holders : all) {
    if (strategy.names(holders.stored_name) || strategy.names(holders.name)) return;
    names.push_back(holders.stored_name);
  }
  if (strategy.parameters.empty()) return;
  fail(ErrorCode::kNotFound,
       "the strategy names none of the {} tensors in the files: it is of another model; it has "
       "'{}'{}",
       names.size(), printable(strategy.parameters[0].name),
       suggest(strategy.parameters[0].name, names));
}

/// What the strategy names and no file holds: lost where files are missing that could hold it,
/// else not saved.
void check_absent(const Strategy& strategy, std::span<const Holders> all,
                  std::span<const RankFile> files, const SourceOptions& options, Source& source) {
  std::vector<std::string> known, lost, not_saved;
  for (const Holders& holders : all) {
    known.push_back(holders.name);
    if (holders.stored_name != holders.name) known.push_back(holders.stored_name);
  }
  std::sort(known.begin(), known.end());
  const int per_stage = (source.rank_count + strategy.stage_count - 1) / strategy.stage_count;
  std::vector<int> given(static_cast<size_t>(strategy.stage_count), 0);
  for (const RankFile& file : files) ++given[static_cast<size_t>(file.rank / per_stage)];
  for (const ParameterLayout& parameter : strategy.parameters) {
    const auto leaves_out = [&](const std::string& pattern) {
      return matches(pattern, parameter.name);
    };
    if (parameter.is_pattern || std::binary_search(known.begin(), known.end(), parameter.name) ||
        std::any_of(options.except.begin(), options.except.end(), leaves_out))
      continue;
    const bool may_be_lost = given[static_cast<size_t>(parameter.stage)] < per_stage &&
                             !options.open.allows("missing_tensor", parameter.name);
    (may_be_lost ? lost : not_saved)
        .push_back(fmt::format("'{}'{}", printable(parameter.name),
                               not_saved.size() < 3 ? suggest(parameter.name, known) : ""));
  }
  if (!lost.empty())
    fail(ErrorCode::kNotFound,
         "the strategy names {}, of which no file that is given holds any part; {} of {} files are "
         "given; '--allow missing_tensor' goes on without it",
         join_first(lost, 3), files.size(), source.rank_count);
  if (!not_saved.empty())
    source.notes.push_back("the strategy names what no file holds: " + join_first(not_saved, 3));
}

/// What the files hold, of which `collect` puts the headers together.
template <typename Collect>
Source make_source(std::span<const RankFile> files, const Strategy* strategy,
                   const SourceOptions& options, const Collect& collect) {
  require(!files.empty(), "no source file is given");
  Source source;
  source.rank_count = ranks_of(strategy, files);
  source.has_strategy = strategy != nullptr;
  note_missing_ranks(files, source);
  if (strategy == nullptr && files.size() > 1)
    source.notes.push_back(
        "no strategy says how the files are cut: each is taken to hold the whole");
  Collection collection(files, options);
  collect(collection, source);
  source.checkpoint.bytes = std::make_shared<const ByteSource>(collection.take_bytes());
  std::vector<Holders> all = collection.take();
  if (all.empty()) fail(ErrorCode::kNotFound, "the files hold nothing that is not left out");
  if (strategy != nullptr) {
    check_strategy_fits(*strategy, all);
    check_absent(*strategy, all, files, options, source);
  }
  internal::Assembler assembler(strategy, files, options, source);
  for (Holders& holders : all) {
    assembler.add(holders);
    holders = {};
  }
  index_records(source.checkpoint.catalog);
  return source;
}

}  // namespace

Source open_source(std::span<const RankFile> files, const Strategy* strategy,
                   const SourceOptions& options) {
  return make_source(files, strategy, options,
                     [](Collection& collection, Source& source) { collection.open_all(source); });
}

Source source_of(std::span<const RankFile> files, std::vector<Checkpoint> opened,
                 const Strategy* strategy, const SourceOptions& options) {
  require(opened.size() == files.size(), "{} files are open of {}", opened.size(), files.size());
  return make_source(files, strategy, options, [&](Collection& collection, Source& source) {
    collection.take_all(std::move(opened), source);
  });
}

}  // namespace tessera
