#include "tests/campaigns/check_job.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <stdexcept>
#include <tuple>

#include "tessera/base/error.h"
#include "tessera/io/json.h"
#include "tessera/io/memory_file_system.h"
#include "tessera/reshard/reshard.h"
#include "tests/campaigns/shard_files.h"

namespace tessera::testing {
namespace {

template <typename... Args>
void expect(bool condition, fmt::format_string<Args...> format, Args&&... args) {
  if (!condition) throw std::runtime_error(fmt::format(format, std::forward<Args>(args)...));
}

constexpr const char* kNote = "note";  // a string that every rank's file holds

ParameterLayout layout_of(const Cut& cut, const TensorSpec& tensor, int stage) {
  ParameterLayout one;
  one.name = tensor.name;
  one.stage = stage;
  std::string mesh, dims;
  for (size_t a = 0; a < cut.matrix.size(); ++a)
    mesh += fmt::format("{}a{}={}", a > 0 ? "," : "", a, cut.matrix[a]);
  for (size_t d = 0; d < cut.dims.size(); ++d) {
    dims += d > 0 ? ", " : "";
    for (size_t i = 0; i < cut.dims[d].size(); ++i)
      dims += fmt::format("{}a{}", i > 0 ? " " : "", cut.dims[d][i]);
    if (cut.dims[d].empty()) dims += "-";
  }
  one.layout = parse_layout("{" + mesh + "} [" + dims + "]");
  one.optimizer_size = cut.optimizer_size;
  one.optimizer_step = cut.optimizer_step;
  one.split_rows = cut.rows;
  return one;
}

/// The strategy of a side; `says_shapes`: of the whole tensors too.
Strategy strategy_of(const Side& side, const Job& job, bool says_shapes) {
  Strategy strategy;
  strategy.format = "layouts.txt";
  strategy.stage_count = side.stages;
  strategy.ranks_per_stage = side.per_stage;
  for (int s = 0; s < side.stages; ++s)
    for (size_t t = 0; t < job.tensors.size(); ++t)
      if (const auto& cut = side.cuts[t][static_cast<size_t>(s)]) {
        strategy.parameters.push_back(layout_of(*cut, job.tensors[t], s));
        if (says_shapes)
          strategy.parameters.back().shape = Shape(std::span<const int64_t>(job.tensors[t].shape));
      }
  index_parameters(strategy);
  return strategy;
}

/// What a wrong guess of an extent runs into.
bool is_contradiction(ErrorCode code) {
  return code == ErrorCode::kInvalidArgument || code == ErrorCode::kCorruptData;
}

struct Held {
  int rank = 0;
  std::vector<int64_t> shape;
  std::vector<int64_t> elements;
};

/// Who holds what of a tensor.
std::vector<Held> holders_of(const Side& side, const Job& job, size_t tensor) {
  std::vector<Held> all;
  for (int rank = 0; rank < side.ranks(); ++rank) {
    Held held{.rank = rank};
    auto elements = elements_of(side, job, tensor, rank, held.shape);
    if (!elements) continue;
    held.elements = std::move(*elements);
    all.push_back(std::move(held));
  }
  return all;
}

class Case {
 public:
  explicit Case(Random& random)
      : random_(random),
        sources_are_safetensors_(chance(random, 40)),
        result_is_safetensors_(chance(random, 40)),
        has_note_(!sources_are_safetensors_ && chance(random, 15)),
        job_(random_job(random, true)),
        says_shapes_(chance(random, 30)) {}

  std::string describe_job() const {
    return fmt::format("{}  source {}, result {}, removed {}, wanted {}\n", describe(job_),
                       suffix(sources_are_safetensors_), suffix(result_is_safetensors_), removed_,
                       wanted_);
  }

  CaseKind run() {
    for (size_t t = 0; t < job_.tensors.size(); ++t) {
      from_.push_back(holders_of(job_.from, job_, t));
      to_.push_back(holders_of(job_.to, job_, t));
    }
    if (has_empty_slices()) result_is_safetensors_ = true;  // a .ckpt has no form for them
    if (result_is_safetensors_) has_note_ = false;
    choose_removed();
    if (chance(random_, 15)) choose_wanted();
    const bool corrupts = removed_.empty() && wanted_.empty() && chance(random_, 12);
    write_sources();
    if (corrupts && corrupt_replica()) return expect_difference();
    const std::string failing = removed_.empty() ? std::string() : tensor_that_fails();
    if (!failing.empty()) return expect_lost(failing);
    if (!removed_.empty() && has_guesses()) return move_guessing();
    move();
    check_result("out", job_.to, to_);
    if (!removed_.empty() || !wanted_.empty()) return CaseKind::kMovedWithoutAll;
    if (!chance(random_, 25)) return CaseKind::kMoved;
    through_one_rank();
    back();
    return CaseKind::kThereAndBack;
  }

 private:
  static const char* suffix(bool is_safetensors) { return is_safetensors ? "safetensors" : "ckpt"; }

  bool has_empty_slices() const {
    for (const auto* side : {&from_, &to_})
      for (const auto& holders : *side)
        for (const Held& held : holders)
          if (held.elements.empty()) return true;
    return false;
  }

  bool is_removed(int rank) const {
    return std::find(removed_.begin(), removed_.end(), rank) != removed_.end();
  }
  bool is_wanted(int rank) const {
    return wanted_.empty() || std::find(wanted_.begin(), wanted_.end(), rank) != wanted_.end();
  }

  void choose_removed() {
    if (job_.from.ranks() == 1 || !chance(random_, 25)) return;
    const int percent = chance(random_, 50) ? 15 : 60;
    for (int rank = 0; rank < job_.from.ranks(); ++rank)
      if (chance(random_, percent)) removed_.push_back(rank);
    if (static_cast<int>(removed_.size()) == job_.from.ranks())
      removed_.erase(removed_.begin() +
                     static_cast<std::ptrdiff_t>(below(random_, removed_.size())));
  }

  void choose_wanted() {
    for (int rank = 0; rank < job_.to.ranks(); ++rank)
      if (chance(random_, 30)) wanted_.push_back(rank);
  }

  void write_sources() {
    std::vector<std::vector<ShardEntry>> entries(static_cast<size_t>(job_.from.ranks()));
    for (size_t t = 0; t < job_.tensors.size(); ++t) {
      for (const Held& held : from_[t]) {
        ShardEntry entry{job_.tensors[t].name, job_.tensors[t].type->ckpt, held.shape, {}};
        for (const int64_t e : held.elements) entry.bytes += job_.tensors[t].element(e);
        entries[static_cast<size_t>(held.rank)].push_back(std::move(entry));
      }
    }
    const bool shuffles = chance(random_, 20);
    for (int rank = 0; rank < job_.from.ranks(); ++rank) {
      if (is_removed(rank)) continue;
      auto& list = entries[static_cast<size_t>(rank)];
      if (shuffles) std::shuffle(list.begin(), list.end(), random_);
      if (has_note_) list.push_back({kNote, "str", {0}, std::string("h\0\0\0i\0\0\0", 8)});
      files_.put(path_of(rank),
                 sources_are_safetensors_ ? encode_safetensors(list) : encode_ckpt(list, random_));
    }
  }

  std::string path_of(int rank) const {
    return fmt::format("src/rank_{0}/net{0}.{1}", rank, suffix(sources_are_safetensors_));
  }

  /// The elements of a tensor that the wanted ranks hold.
  std::vector<bool> needed(size_t tensor) const {
    std::vector<bool> marks(static_cast<size_t>(job_.tensors[tensor].count()), false);
    for (const Held& held : to_[tensor])
      if (is_wanted(held.rank))
        for (const int64_t e : held.elements) marks[static_cast<size_t>(e)] = true;
    return marks;
  }

  std::vector<const Held*> present(size_t tensor) const {
    std::vector<const Held*> found;
    for (const Held& held : from_[tensor])
      if (!is_removed(held.rank)) found.push_back(&held);
    return found;
  }

  /// The name of a tensor for which the case must fail, or "".
  std::string tensor_that_fails() {
    bool any_named = !job_.from.has_strategy;
    for (size_t t = 0; t < job_.tensors.size(); ++t)
      any_named = any_named || (job_.from.is_named(t) && !present(t).empty());
    if (!any_named) return "the strategy names none";
    for (size_t t = 0; t < job_.tensors.size(); ++t) {
      const auto here = present(t);
      if (here.empty()) {
        gone_.push_back(t);
        if (job_.from.is_named(t) || job_.to.is_named(t)) return job_.tensors[t].name;
        continue;
      }
      std::vector<bool> held(static_cast<size_t>(job_.tensors[t].count()), false);
      for (const Held* one : here)
        for (const int64_t e : one->elements) held[static_cast<size_t>(e)] = true;
      const std::vector<bool> wanted = needed(t);
      for (size_t e = 0; e < wanted.size(); ++e)
        if (wanted[e] && !held[e]) return job_.tensors[t].name;
    }
    return "";
  }

  /// Whether some extent cannot be known: no file holds one of the parts, nor says how long the
  /// whole is, and uneven cuts of different extents have equal parts.
  bool has_guesses() const {
    if (says_shapes_) return false;
    for (size_t t = 0; t < job_.tensors.size(); ++t)
      for (const Held& held : from_[t]) {
        const auto& cut = job_.from.cuts[t][static_cast<size_t>(held.rank / job_.from.per_stage)];
        if (!cut || !is_removed(held.rank)) continue;
        for (size_t d = 0; d < held.shape.size(); ++d)
          if (!is_part_present(t, held.rank, d)) return true;
      }
    return false;
  }

  bool is_part_present(size_t tensor, int rank, size_t dim) const {
    const int per_stage = job_.from.per_stage;
    const Cut& cut = *job_.from.cuts[tensor][static_cast<size_t>(rank / per_stage)];
    TensorSpec large = job_.tensors[tensor];  // no two of its parts are equal
    large.shape.assign(large.shape.size(), int64_t{1} << 40);
    const Range range = ranges_of(cut, large, rank % per_stage)[dim];
    for (int other = rank / per_stage * per_stage; other < (rank / per_stage + 1) * per_stage;
         ++other) {
      const Range there = ranges_of(cut, large, other % per_stage)[dim];
      if (!is_removed(other) && there.begin == range.begin && there.end == range.end) return true;
    }
    return false;
  }

  Source open(const std::string& folder, const Side& side) {
    FindOptions find;
    find.files = &files_;
    const std::vector<std::string> sources{folder};
    const std::vector<RankFile> found = find_rank_files(sources, find);
    SourceOptions options;
    options.open.files = &files_;
    options.threads = 1;
    if (!side.has_strategy) return open_source(found, nullptr, options);
    const Strategy strategy = strategy_of(side, job_, says_shapes_);
    return open_source(found, &strategy, options);
  }

  /// Moves to `side`, null: to one rank that holds everything.
  void move(const Source& source, const Side* side, const std::string& folder) {
    Strategy strategy;
    if (side != nullptr) {
      strategy = strategy_of(*side, job_, false);
      strategy.ranks_per_stage = side->per_stage;
      // What no file holds has no place in the result.
      for (const size_t t : gone_)
        std::erase_if(strategy.parameters,
                      [&](const ParameterLayout& one) { return one.name == job_.tensors[t].name; });
      index_parameters(strategy);
    }
    const Destination destination = side == nullptr ? whole_destination(source.catalog())
                                                    : destination_of(source.catalog(), strategy);
    PlanOptions options;
    constexpr ReplicaCheck kChecks[] = {ReplicaCheck::kReadFiles, ReplicaCheck::kAll,
                                        ReplicaCheck::kNone};
    options.replicas = replicas_ ? *replicas_ : kChecks[below(random_, 3)];
    options.threads = 1;
    if (folder == "out") options.ranks.assign(wanted_.begin(), wanted_.end());
    ReshardPlan plan = plan_reshard(source, destination, options);
    verify(plan, source, destination);
    if (chance(random_, 50)) plan.staging = 1 + below(random_, 300);  // tensors of many slabs
    ReshardOptions what;
    what.output = &find_output(suffix(result_is_safetensors_));
    what.prefix = "net";
    what.sync = false;
    what.verify = verifies_ || chance(random_, 50);
    what.files = &files_;
    const ReshardReport report = reshard(source, destination, plan, folder, what);
    expect(report.bytes_written == plan.bytes_written, "{} bytes written, {} planned",
           report.bytes_written, plan.bytes_written);
    expect(report.bytes_read - report.bytes_compared <= plan.bytes_needed, "{} bytes read of {}",
           report.bytes_read - report.bytes_compared, plan.bytes_needed);
  }

  void move() {
    verifies_ = true;
    move(open("src", job_.from), &job_.to, "out");
    verifies_ = false;
  }

  /// Every file of a result, element by element.
  void check_result(const std::string& folder, const Side& side,
                    const std::vector<std::vector<Held>>& holders) const {
    std::vector<std::map<std::string, ShardEntry>> files(static_cast<size_t>(side.ranks()));
    for (int rank = 0; rank < side.ranks(); ++rank) {
      const std::string path = result_path(folder, rank);
      const bool is_there = files_.exists(path);
      expect(is_there == (is_wanted(rank) || folder != "out"), "{} {}", path,
             is_there ? "is there" : "is not there");
      if (is_there)
        files[static_cast<size_t>(rank)] = decode(files_.content(path), result_is_safetensors_);
    }
    for (size_t t = 0; t < job_.tensors.size(); ++t) {
      if (std::find(gone_.begin(), gone_.end(), t) != gone_.end()) continue;
      for (const Held& held : holders[t])
        check_entry(files[static_cast<size_t>(held.rank)], t, held, folder);
    }
    for (size_t rank = 0; rank < files.size(); ++rank) {
      const bool was_made = is_wanted(static_cast<int>(rank)) || folder != "out";
      if (has_note_ && was_made)
        expect(files[rank].erase(kNote) == 1, "rank {} lacks the string", rank);
      expect(files[rank].empty(), "rank {} of {} also holds {}", rank, folder,
             files[rank].empty() ? "" : files[rank].begin()->first);
    }
  }

  void check_entry(std::map<std::string, ShardEntry>& file, size_t tensor, const Held& held,
                   const std::string& folder) const {
    if (!is_wanted(held.rank) && folder == "out") return;
    const TensorSpec& spec = job_.tensors[tensor];
    const auto found = file.find(spec.name);
    expect(found != file.end(), "rank {} of {} lacks '{}'", held.rank, folder, spec.name);
    const ShardEntry& entry = found->second;
    expect(entry.type == spec.type->ckpt, "'{}' became {}", spec.name, entry.type);
    expect(entry.shape == held.shape, "'{}' of rank {} of {} is {} and not {}", spec.name,
           held.rank, folder, entry.shape, held.shape);
    std::string wanted;
    for (const int64_t e : held.elements) wanted += spec.element(e);
    expect(entry.bytes == wanted, "'{}' of rank {} of {} has wrong bytes", spec.name, held.rank,
           folder);
    file.erase(found);
  }

  std::string result_path(const std::string& folder, int rank) const {
    return fmt::format("{0}/rank_{1}/net{1}.{2}", folder, rank, suffix(result_is_safetensors_));
  }

  CaseKind expect_lost(const std::string& name) {
    try {
      move();
    } catch (const Error& error) {
      const std::string text = error.what();
      const bool is_known =
          error.code() == ErrorCode::kNotFound || (is_contradiction(error.code()) && has_guesses());
      expect(is_known, "'{}' is lost, and the error is: {}", name, text);
      if (name != "the strategy names none")
        expect(names_a_lost_tensor(text), "'{}' is lost, and the error names none: {}", name, text);
      for (const std::string& left :
           files_.is_folder("out") ? files_.list("out") : std::vector<std::string>())
        throw std::runtime_error("after an error 'out' holds " + left);
      return CaseKind::kLost;
    }
    throw std::runtime_error(fmt::format("'{}' is lost, and there is no error", name));
  }

  /// Where extents are not known the result is right or an error says what is lost; a part of the
  /// result alone cannot be judged.
  CaseKind move_guessing() {
    try {
      move();
    } catch (const Error& error) {
      expect((error.code() == ErrorCode::kNotFound || is_contradiction(error.code())) &&
                 names_a_lost_tensor(error.what()),
             "nothing is lost, and the error is: {}", error.what());
      return CaseKind::kLost;
    }
    // Of a tensor without elements a part that is lost leaves no trace but its extent.
    const bool has_empty = std::any_of(job_.tensors.begin(), job_.tensors.end(),
                                       [](const TensorSpec& one) { return one.count() == 0; });
    if (wanted_.empty() && !has_empty) check_result("out", job_.to, to_);
    return CaseKind::kMovedWithoutAll;
  }

  bool names_a_lost_tensor(const std::string& text) const {
    return std::any_of(job_.tensors.begin(), job_.tensors.end(), [&](const TensorSpec& tensor) {
      return text.find("'" + tensor.name + "'") != text.npos;
    });
  }

  /// Changes one element in one file where another file holds it too; says whether there is one.
  bool corrupt_replica() {
    std::vector<std::tuple<size_t, const Held*, size_t>> candidates;
    for (size_t t = 0; t < job_.tensors.size(); ++t) {
      std::vector<int> holders(static_cast<size_t>(job_.tensors[t].count()), 0);
      for (const Held& held : from_[t])
        for (const int64_t e : held.elements) ++holders[static_cast<size_t>(e)];
      for (const Held& held : from_[t])
        for (size_t i = 0; i < held.elements.size(); ++i)
          if (holders[static_cast<size_t>(held.elements[i])] > 1)
            candidates.emplace_back(t, &held, i);
    }
    if (candidates.empty()) return false;
    const auto [tensor, held, element] = candidates[below(random_, candidates.size())];
    const TensorSpec& spec = job_.tensors[tensor];
    corrupt_ = spec.name;
    const std::string path = path_of(held->rank);
    auto entries = decode_own(files_.content(path));
    for (ShardEntry& entry : entries)
      if (entry.name == corrupt_) entry.bytes[element * static_cast<size_t>(spec.type->width)] ^= 1;
    files_.put(path,
               sources_are_safetensors_ ? encode_safetensors(entries) : encode_plain_ckpt(entries));
    return true;
  }

  std::vector<ShardEntry> decode_own(const std::string& file) const {
    std::vector<ShardEntry> entries;
    for (auto& [name, entry] : decode(file, sources_are_safetensors_)) {
      if (entry.type == "BFloat16") narrow(entry);
      entries.push_back(entry);
    }
    return entries;
  }

  static void narrow(ShardEntry& entry) {
    size_t count = 1;
    if (entry.shape != std::vector<int64_t>{0})
      for (const int64_t extent : entry.shape) count *= static_cast<size_t>(extent);
    if (entry.bytes.size() != 4 * count) return;
    std::string bytes;
    for (size_t i = 0; i < entry.bytes.size(); i += 4) bytes += entry.bytes.substr(i + 2, 2);
    entry.bytes = bytes;
  }

  CaseKind expect_difference() {
    replicas_ = ReplicaCheck::kAll;
    try {
      move();
    } catch (const Error& error) {
      const std::string text = error.what();
      expect(error.code() == ErrorCode::kCorruptData &&
                 text.find("'" + corrupt_ + "'") != text.npos &&
                 text.find("differs between") != text.npos,
             "a replica of '{}' differs, and the error is: {}", corrupt_, text);
      for (const std::string& left :
           files_.is_folder("out") ? files_.list("out") : std::vector<std::string>())
        throw std::runtime_error("after an error 'out' holds " + left);
      return CaseKind::kCorrupt;
    }
    throw std::runtime_error(
        fmt::format("a replica of '{}' differs, and nobody sees it", corrupt_));
  }

  /// M → 1 → N is M → N, byte by byte, with equal digests.
  void through_one_rank() {
    verifies_ = true;
    move(open("src", job_.from), nullptr, "one");
    Side whole;
    whole.has_strategy = false;
    move(open("one", whole), &job_.to, "out2");
    for (int rank = 0; rank < job_.to.ranks(); ++rank)
      expect(files_.content(result_path("out", rank)) == files_.content(result_path("out2", rank)),
             "rank {} through one rank is not the same", rank);
    const auto direct = digests("out"), detour = digests("out2"), one = digests("one");
    expect(!direct.empty() && direct == detour && direct == one, "digests differ");
    verifies_ = false;
  }

  std::map<std::string, std::string> digests(const std::string& folder) const {
    std::map<std::string, std::string> found;
    const Json root = parse_json(files_.content(folder + "/tessera.json"), {});
    for (const Json& tensor : root.at("tensors").items())
      found[tensor.at("name").as_string()] = tensor.at("digest").as_string();
    return found;
  }

  /// M → N → M is what it was; what the strategy does not name is then on all ranks.
  void back() {
    Side there = job_.to, again = job_.from;
    for (size_t t = 0; t < job_.tensors.size(); ++t)
      if (!again.is_named(t)) again.unnamed_stages[t].assign(again.unnamed_stages[t].size(), true);
    const Source source = open("out", there);
    move(source, &again, "back");
    std::vector<std::vector<Held>> holders;
    for (size_t t = 0; t < job_.tensors.size(); ++t) holders.push_back(holders_of(again, job_, t));
    check_result("back", again, holders);
  }

  Random& random_;
  bool sources_are_safetensors_, result_is_safetensors_, has_note_;
  Job job_;
  bool says_shapes_;
  bool verifies_ = false;
  std::optional<ReplicaCheck> replicas_;
  std::string corrupt_;
  std::vector<int> removed_, wanted_;
  std::vector<size_t> gone_;  // tensors that no file holds
  std::vector<std::vector<Held>> from_, to_;
  MemoryFileSystem files_;
};

}  // namespace

CaseKind run_case(Random& random, std::string& description) {
  Case one(random);
  try {
    return one.run();
  } catch (...) {
    description = one.describe_job();
    throw;
  }
}

}  // namespace tessera::testing
