#include "tessera/reshard/internal/assemble.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "tessera/base/error.h"
#include "tessera/base/text.h"
#include "tessera/layout/sharding_rule.h"
#include "tessera/reshard/internal/cut_key.h"

namespace tessera::internal {
namespace {

std::string described(const Holder& holder) {
  return fmt::format("{} in the file of rank {}", describe(holder.record), holder.rank);
}

/// Cuts the rows [begin, end) out of a piece of `record`; empty bytes where it has none of them.
Piece rows_of(const Record& record, const Piece& piece, int64_t begin, int64_t end, Box& box) {
  box = box_of(record, piece);
  Piece part = piece;
  if (box.size.empty()) return part;
  const int64_t first = std::max(begin, box.begin[0]);
  const int64_t last = std::min(end, box.begin[0] + box.size[0]);
  const uint64_t rows = static_cast<uint64_t>(std::max<int64_t>(last - first, 0));
  if (box.size[0] > 0 && piece.encoding != Encoding::kZero) {
    const uint64_t row = piece.bytes.size / static_cast<uint64_t>(box.size[0]);
    part.bytes = {piece.bytes.offset +
                      static_cast<uint64_t>(std::max<int64_t>(first - box.begin[0], 0)) * row,
                  rows * row};
  }
  box.begin[0] = first;
  box.size[0] = static_cast<int64_t>(rows);
  return part;
}

/// The rows of the parts of dim 0, of which the strategy lists each once per part of the others.
int64_t listed_extent(const ParameterLayout& parameter) {
  size_t others = 1;
  for (size_t d = 1; d < parameter.layout.dims.size(); ++d)
    others *= static_cast<size_t>(part_count(parameter.layout, d));
  int64_t rows = 0;
  for (size_t i = 0; i < parameter.split_rows.size(); i += others)
    require_valid(!__builtin_add_overflow(rows, parameter.split_rows[i], &rows),
                  "the strategy lists more than 2^63 rows");
  return rows;
}

/// Fills in the parts of a dim that no file holds (-1) from the extents of the others: equal parts
/// where they are, as in all of MindSpore's files, else the longest dim whose parts they are. So
/// nothing is taken for empty that could have held something.
void guess_missing(std::vector<int64_t>& parts) {
  const auto count = static_cast<int64_t>(parts.size());
  const int64_t longest = *std::max_element(parts.begin(), parts.end());
  const auto fits = [&](int64_t extent) {
    for (int64_t i = 0; i < count; ++i) {
      const int64_t known = parts[static_cast<size_t>(i)];
      if (known >= 0 && known != factor_part(extent, i, count).size) return false;
    }
    return true;
  };
  int64_t extent = 0;
  bool is_found = !__builtin_mul_overflow(longest, count, &extent);
  if (is_found && (extent == 0 || !fits(extent))) {
    const int64_t shortest = std::max<int64_t>(extent - count, 0);
    if (extent == 0) extent = count - 1;
    while (extent > shortest && !fits(extent)) --extent;
    is_found = fits(extent);
  }
  for (int64_t i = 0; i < count; ++i)
    if (int64_t& part = parts[static_cast<size_t>(i)]; part < 0)
      part = is_found ? factor_part(extent, i, count).size : longest;
}

}  // namespace

Assembler::Assembler(const Strategy* strategy, std::span<const RankFile> files,
                     const SourceOptions& options, Source& source)
    : strategy_(strategy), files_(files), options_(options), source_(source) {
  const int stages = strategy != nullptr ? strategy->stage_count : 1;
  ranks_per_stage_ = (source.rank_count + stages - 1) / stages;
  by_stage_.resize(static_cast<size_t>(stages));
}

Rank Assembler::place_of(Rank rank, const ParameterLayout& layout) const {
  return layout.layout.mesh->rank_count() == 1 ? 0 : rank % ranks_per_stage_;
}

void Assembler::add(Holders& holders) {
  const ErrorContext context(
      [&] { return fmt::format("putting '{}' together", printable(holders.name)); });
  bool is_named = false;
  for (size_t stage = 0; stage < by_stage_.size(); ++stage) {
    by_stage_[stage] = nullptr;
    if (strategy_ == nullptr) continue;
    by_stage_[stage] = strategy_->find(holders.stored_name, static_cast<int>(stage));
    if (by_stage_[stage] == nullptr)
      by_stage_[stage] = strategy_->find(holders.name, static_cast<int>(stage));
    is_named = is_named || by_stage_[stage] != nullptr;
  }
  if (is_named && holders.kind == RecordKind::kTensor) {
    add_named(holders);
  } else {
    add_unnamed(holders);
  }
}

void Assembler::finish(Record record, bool is_unnamed, std::string lost) {
  source_.checkpoint.catalog.records.push_back(std::move(record));
  source_.is_unnamed.push_back(is_unnamed);
  source_.lost.push_back(std::move(lost));
  source_.is_guessed.push_back(std::exchange(is_guessed_, false));
}

/// A tensor that nobody says how it is cut must be in every file of each stage that has it.
void Assembler::check_everywhere(const Holders& holders) const {
  if (options_.open.allows("missing_tensor", holders.name)) return;
  std::vector<bool> has_stage(by_stage_.size(), false);
  for (const Holder& holder : holders.all)
    has_stage[static_cast<size_t>(stage_of(holder.rank))] = true;
  size_t next = 0;
  for (const RankFile& file : files_) {
    if (next < holders.all.size() && holders.all[next].rank == file.rank) {
      ++next;
      continue;
    }
    require_valid(
        !has_stage[static_cast<size_t>(stage_of(file.rank))],
        "the file of rank {} lacks '{}', which that of rank {} holds and no strategy names: "
        "only what every file holds alike counts as replicated; '--allow {}' takes the first "
        "file's",
        file.rank, printable(holders.name), holders.all[0].rank, printable(holders.name));
  }
}

/// Strings are small and read when the files are opened: differences show at once.
void Assembler::check_strings(const Holders& holders) const {
  const std::string first = read_string(source_.checkpoint, holders.all[0].record);
  for (const Holder& holder : holders.all) {
    const std::string text = read_string(source_.checkpoint, holder.record);
    require_valid(text == first,
                  "the string '{}' is '{}' in the file of rank {} but '{}' in that of rank {}; "
                  "'--allow {}' takes the first file's",
                  printable(holders.name), printable(first), holders.all[0].rank, printable(text),
                  holder.rank, printable(holders.name));
  }
}

void Assembler::add_unnamed(Holders& holders) {
  check_everywhere(holders);
  const Holder& first = holders.all[0];
  for (const Holder& holder : holders.all) {
    if (holder.record.shape == first.record.shape || holders.kind != RecordKind::kTensor) continue;
    fail(ErrorCode::kCorruptData,
         "'{}' is {} but {}, and {} how it is cut; give its layout in a layouts.txt",
         printable(holders.name), described(first), described(holder),
         strategy_ == nullptr ? "without --from nothing says"
                              : "the strategy does not name it: nothing says");
  }
  const bool takes_first = options_.open.allows("missing_tensor", holders.name);
  if (holders.kind == RecordKind::kString && !takes_first) check_strings(holders);
  Record record = first.record;
  for (size_t i = 1; i < holders.all.size() && !takes_first; ++i) {
    const Record& other = holders.all[i].record;
    record.pieces.insert(record.pieces.end(), other.pieces.begin(), other.pieces.end());
  }
  finish(std::move(record), files_.size() > 1 && !takes_first, {});
}

/// From the slices, where the files of some stage hold all parts; else as far as that is known.
Shape Assembler::global_shape(const Holders& holders) {
  std::optional<Shape> guess;
  is_guessed_ = false;
  int last_stage = -1;
  for (const Holder& first : holders.all) {
    const int stage = stage_of(first.rank);
    if (stage == last_stage) continue;
    last_stage = stage;
    const ParameterLayout* parameter = by_stage_[static_cast<size_t>(stage)];
    if (parameter == nullptr) continue;
    bool is_known = true;
    Shape global = shape_in_stage(holders, first, is_known);
    if (!is_known && parameter->shape && parameter->shape->size() == global.size())
      return *parameter->shape;  // what the files do hold must fit it
    if (is_known && parameter->shape && *parameter->shape != global &&
        parameter->shape->size() == global.size())
      fail(ErrorCode::kCorruptData,
           "the strategy says that the whole is {}, but the slices that the files hold make up {}",
           to_string(*parameter->shape), to_string(global));
    if (is_known) return global;
    if (!guess) guess = std::move(global);
  }
  is_guessed_ = guess && strategy_->format == "layouts.txt";
  return guess ? *guess : holders.all[0].record.shape;
}

/// From the slices in the stage of `first`: the parts of a dim that different places hold add up to
/// its extent. `is_known` becomes false where no file holds a part.
Shape Assembler::shape_in_stage(const Holders& holders, const Holder& first, bool& is_known) {
  const ParameterLayout& parameter = *by_stage_[static_cast<size_t>(stage_of(first.rank))];
  const Shape& local = first.record.shape;
  if (parameter.any_ndim) return local;
  const Layout cut = full_layout(parameter);
  require_valid(local.size() == cut.dims.size(), "'{}' is {}, but the strategy has {} dims: {}",
                printable(first.record.name), described(first), cut.dims.size(), to_string(cut));
  Shape global;
  for (size_t d = 0; d < local.size(); ++d) {
    if (d == 0 && !parameter.split_rows.empty()) {
      global.push_back(listed_extent(parameter));
      continue;
    }
    std::vector<int64_t> extents(static_cast<size_t>(part_count(cut, d)), -1);
    for (const Holder& holder : holders.all) {
      if (stage_of(holder.rank) != stage_of(first.rank)) continue;
      if (holder.record.shape.size() != local.size()) continue;  // add_named says so
      const int part = part_index(cut, d, place_of(holder.rank, parameter));
      int64_t& extent = extents[static_cast<size_t>(part)];
      if (extent < 0) extent = holder.record.shape[d];
    }
    if (std::find(extents.begin(), extents.end(), -1) != extents.end()) {
      is_known = false;
      guess_missing(extents);
    }
    int64_t sum = 0;
    for (const int64_t extent : extents)
      require_valid(!__builtin_add_overflow(sum, extent, &sum),
                    "its slices have more than 2^63 elements in dim {}", d);
    global.push_back(sum);
  }
  return global;
}

const Assembler::Cut& Assembler::cut_of(const ParameterLayout& parameter, const Shape& global) {
  const auto [known, is_new] =
      cuts_.try_emplace(cut_key(parameter, global, options_.interleave_fields));
  if (!is_new) return known->second;
  Cut& cut = known->second;
  const int places = parameter.layout.mesh->rank_count();
  std::map<std::string, std::shared_ptr<const Box>> shared;
  for (Rank place = 0; place < places; ++place) {
    Slices& slices = cut.emplace_back();
    for (Box& box : slices_of(parameter, global, place, options_.interleave_fields)) {
      auto& one = shared[to_string(box)];
      if (one == nullptr) one = std::make_shared<const Box>(std::move(box));
      slices.push_back(one);
    }
  }
  return cut;
}

void Assembler::append_pieces(const Holder& holder, const Slices& slices, Record& record) {
  int64_t row = 0;
  for (const auto& slice : slices) {
    const int64_t rows = slice->size.empty() ? 1 : slice->size[0];
    for (const Piece& piece : holder.record.pieces) {
      const bool is_all = slices.size() == 1 && piece.part == nullptr;
      if (is_all) {
        Piece all = piece;
        if (slice->size != record.shape) all.part = slice;
        record.pieces.push_back(std::move(all));
        continue;
      }
      Box box;
      Piece part = rows_of(holder.record, piece, row, row + rows, box);
      if (is_empty(box)) continue;
      for (size_t d = 0; d < box.begin.size(); ++d) box.begin[d] += slice->begin[d];
      if (!box.begin.empty()) box.begin[0] -= row;
      part.part = box == *slice ? slice : std::make_shared<const Box>(std::move(box));
      record.pieces.push_back(std::move(part));
    }
    row += rows;
  }
}

std::string Assembler::find_lost(const Holders& holders, const Shape& global) {
  std::vector<std::string> lost;
  for (size_t stage = 0; stage < by_stage_.size(); ++stage) {
    if (by_stage_[stage] == nullptr) continue;
    const auto is_here = [&](const Holder& holder) {
      return static_cast<size_t>(stage_of(holder.rank)) == stage;
    };
    if (std::count_if(holders.all.begin(), holders.all.end(), is_here) == ranks_per_stage_)
      return {};
    const Cut& cut = cut_of(*by_stage_[stage], global);
    std::map<const Box*, bool> held;  // boxes are shared by the places that hold the same
    std::map<const Box*, std::vector<std::string>> owners;
    std::vector<const Box*> boxes;  // by place
    for (size_t place = 0; place < cut.size(); ++place)
      for (const auto& slice : cut[place]) {
        std::vector<std::string>& ranks = owners[slice.get()];
        if (ranks.empty()) boxes.push_back(slice.get());
        ranks.push_back(
            std::to_string(static_cast<int>(stage) * ranks_per_stage_ + static_cast<int>(place)));
      }
    for (const Holder& holder : holders.all) {
      if (static_cast<size_t>(stage_of(holder.rank)) != stage) continue;
      for (const auto& slice : cut[static_cast<size_t>(place_of(holder.rank, *by_stage_[stage]))])
        held[slice.get()] = true;
    }
    if (held.empty()) continue;  // another stage's files hold it
    const size_t before = lost.size();
    for (const Box* box : boxes)
      if (!held[box] && !is_empty(*box))
        lost.push_back(fmt::format("{} of rank {}", to_string(*box), join(owners[box], " and ")));
    if (lost.size() == before) return {};  // one complete stage is enough
  }
  return join(lost, ", ");
}

/// Names the holder whose shape most others do not share, where there is one, else `holder`.
void Assembler::fail_shape(const Holders& holders, const Holder& holder, const Shape& wanted,
                           const Shape& global) const {
  const ParameterLayout& parameter = *by_stage_[static_cast<size_t>(stage_of(holder.rank))];
  std::map<std::string, std::vector<const Holder*>> by_shape;
  for (const Holder& one : holders.all) by_shape[to_string(one.record.shape)].push_back(&one);
  const auto fewer = [](const auto& a, const auto& b) { return a.second.size() < b.second.size(); };
  const auto most = std::max_element(by_shape.begin(), by_shape.end(), fewer);
  const auto least = std::min_element(by_shape.begin(), by_shape.end(), fewer);
  const std::string layout =
      parameter.any_ndim ? std::string("[...]") : to_string(full_layout(parameter));
  if (2 * most->second.size() > holders.all.size() && least != most)
    fail(
        ErrorCode::kCorruptData,
        "'{}' is {}, but {} in the files of {} other ranks, and the strategy says {}: that file is "
        "damaged or of another run",
        printable(holders.name), described(*least->second[0]), most->first, most->second.size(),
        layout);
  fail(ErrorCode::kCorruptData,
       "'{}' is {}, but the strategy ({}) gives this rank {} of the whole {}: the strategy belongs "
       "to another run, or the file does",
       printable(holders.name), described(holder), layout, to_string(wanted), to_string(global));
}

/// The files of the tensor's stages that lack it although others hold what they should.
void Assembler::note_lacking(const Holders& holders) {
  std::vector<std::string> lacking;
  size_t next = 0;
  for (const RankFile& file : files_) {
    if (next < holders.all.size() && holders.all[next].rank == file.rank) {
      ++next;
    } else if (by_stage_[static_cast<size_t>(stage_of(file.rank))] != nullptr) {
      lacking.push_back(std::to_string(file.rank));
    }
  }
  if (!lacking.empty())
    source_.notes.push_back(fmt::format("the file of rank {} lacks '{}'; a replica is used",
                                        join(lacking, ", "), printable(holders.name)));
}

/// The slice that differs from the others is likely the wrong one, whichever was found.

void Assembler::add_named(Holders& holders) {
  const Shape global = global_shape(holders);
  element_count(global);  // throws where the product overflows
  Record record{
      .name = holders.name, .kind = holders.kind, .dtype = holders.dtype, .shape = global};
  for (const Holder& holder : holders.all) {
    const ParameterLayout* parameter = by_stage_[static_cast<size_t>(stage_of(holder.rank))];
    if (parameter == nullptr) {
      require_valid(
          holder.record.shape == global,
          "'{}' is {} (pipeline stage {}), where the strategy does not name it; the whole "
          "is {}",
          printable(holders.name), described(holder), stage_of(holder.rank), to_string(global));
      append_pieces(holder, {std::make_shared<const Box>(whole(global))}, record);
      continue;
    }
    const Cut& cut = cut_of(*parameter, global);
    const Slices& slices = cut[static_cast<size_t>(place_of(holder.rank, *parameter))];
    std::vector<Box> boxes;
    for (const auto& slice : slices) boxes.push_back(*slice);
    const Shape wanted = local_shape(boxes);
    if (holder.record.shape != wanted) fail_shape(holders, holder, wanted, global);
    append_pieces(holder, slices, record);
  }
  std::string lost = find_lost(holders, global);
  if (lost.empty()) note_lacking(holders);
  finish(std::move(record), false, std::move(lost));
}

}  // namespace tessera::internal
