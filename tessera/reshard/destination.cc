#include "tessera/reshard/destination.h"

#include <algorithm>
#include <map>

#include "tessera/base/error.h"
#include "tessera/base/text.h"
#include "tessera/reshard/internal/cut_key.h"

namespace tessera {
namespace {

/// Numbers the different things that ranks hold.
class Placer {
 public:
  Placer(const Catalog& catalog, const Strategy& strategy, const DestinationOptions& options)
      : catalog_(catalog), strategy_(strategy), options_(options) {
    destination_.ranks.resize(static_cast<size_t>(strategy.rank_count()));
  }

  Destination place() {
    check_names();
    for (size_t r = 0; r < catalog_.records.size(); ++r) add(static_cast<uint32_t>(r));
    write_notes();
    return std::move(destination_);
  }

 private:
  void check_names() const {
    const std::vector<std::string> known = catalog_.names();
    const auto is_named = [&](const std::string& name) { return strategy_.names(name); };
    if (!strategy_.parameters.empty() && std::none_of(known.begin(), known.end(), is_named))
      fail(
          ErrorCode::kNotFound,
          "the destination's strategy names none of the {} tensors of the source: it is of another "
          "model; it has '{}'{}",
          known.size(), printable(strategy_.parameters[0].name),
          suggest(strategy_.parameters[0].name, known));
    for (const ParameterLayout& parameter : strategy_.parameters) {
      if (parameter.is_pattern || catalog_.index_of(parameter.name)) continue;
      const auto allows = [&](const std::string& pattern) {
        return matches(pattern, parameter.name);
      };
      if (std::any_of(options_.allow.begin(), options_.allow.end(), allows)) continue;
      fail(ErrorCode::kNotFound,
           "the destination's strategy names '{}', which the source lacks{}; '--allow {}' goes on "
           "without it",
           printable(parameter.name), suggest(parameter.name, known), printable(parameter.name));
    }
  }

  void add(uint32_t index) {
    const Record& record = catalog_.records[index];
    const ErrorContext context(
        [&] { return fmt::format("placing '{}' {}", printable(record.name), describe(record)); });
    bool is_named = false;
    for (int stage = 0; stage < strategy_.stage_count; ++stage) {
      const ParameterLayout* parameter =
          record.kind == RecordKind::kTensor ? strategy_.find(record.name, stage) : nullptr;
      if (parameter == nullptr) continue;
      is_named = true;
      const std::vector<uint32_t>& cut = cut_of(*parameter, record);
      const Rank first = stage * strategy_.ranks_per_stage;
      for (Rank place = 0; place < strategy_.ranks_per_stage; ++place) {
        const size_t held = cut.size() == 1 ? 0 : static_cast<size_t>(place);
        destination_.ranks[static_cast<size_t>(first + place)].push_back({index, cut[held]});
      }
    }
    if (is_named) return;
    const uint32_t all =
        number(record.kind == RecordKind::kTensor ? std::vector<Box>{whole(record.shape)}
                                                  : std::vector<Box>{});
    for (auto& rank : destination_.ranks) rank.push_back({index, all});
    if (strategy_.rank_count() > 1) unnamed_.push_back(printable(record.name));
  }

  /// The numbers of what the places hold of the record; made once for records that are cut alike.
  const std::vector<uint32_t>& cut_of(const ParameterLayout& parameter, const Record& record) {
    const auto [known, is_new] =
        cuts_.try_emplace(internal::cut_key(parameter, record.shape, options_.interleave_fields));
    if (!is_new) return known->second;
    const int places = parameter.layout.mesh->rank_count();
    std::vector<std::vector<Box>> all;
    for (Rank place = 0; place < places; ++place)
      all.push_back(slices_of(parameter, record.shape, place, options_.interleave_fields));
    const auto differs = [&](const std::vector<Box>& slices) {
      return local_shape(slices) != local_shape(all[0]);
    };
    if (parameter.split_rows.empty() && std::any_of(all.begin(), all.end(), differs))
      uneven_.push_back(fmt::format("'{}' {}", printable(record.name), to_string(record.shape)));
    for (std::vector<Box>& slices : all) known->second.push_back(number(std::move(slices)));
    return known->second;
  }

  uint32_t number(std::vector<Box> slices) {
    std::string key;
    for (const Box& box : slices) key += to_string(box);
    const auto [known, is_new] =
        numbers_.try_emplace(std::move(key), static_cast<uint32_t>(destination_.slices.size()));
    if (is_new) destination_.slices.push_back(std::move(slices));
    return known->second;
  }

  void write_notes() {
    if (!unnamed_.empty())
      destination_.notes.push_back(
          fmt::format("the destination's strategy does not name {}: whole on every rank",
                      join_first(unnamed_, 5)));
    if (!uneven_.empty() && strategy_.format != "layouts.txt")
      destination_.notes.push_back(fmt::format(
          "{} cut into parts of different extents, which MindSpore itself does not load",
          join_first(uneven_, 5)));
  }

  const Catalog& catalog_;
  const Strategy& strategy_;
  const DestinationOptions& options_;
  std::map<std::string, std::vector<uint32_t>> cuts_;
  std::map<std::string, uint32_t> numbers_;
  std::vector<std::string> unnamed_, uneven_;
  Destination destination_;
};

}  // namespace

Destination whole_destination(const Catalog& catalog) {
  Strategy strategy;  // names nothing, so everything is whole on its one rank
  return Placer(catalog, strategy, {}).place();
}

Destination destination_of(const Catalog& catalog, const Strategy& strategy,
                           const DestinationOptions& options) {
  return Placer(catalog, strategy, options).place();
}

}  // namespace tessera
