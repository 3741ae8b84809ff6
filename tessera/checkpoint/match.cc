#include "tessera/checkpoint/match.h"

#include <algorithm>
#include <map>

#include "tessera/base/error.h"
#include "tessera/base/shown.h"
#include "tessera/base/text.h"

namespace tessera {
namespace {

std::string type_text(DType dtype, const Shape& shape) {
  return fmt::format("{}{}", to_string(dtype), to_string(shape));
}

/// MindSpore's groups: real floating dtypes convert into each other, signed integers too.
bool converts_leniently(DType from, DType to) {
  const auto is_integer = [](DType dtype) {
    return dtype == DType::kI8 || dtype == DType::kI16 || dtype == DType::kI32 ||
           dtype == DType::kI64;
  };
  return (info(from).is_floating && info(to).is_floating) || (is_integer(from) && is_integer(to));
}

/// Whether `stored` is `wanted` followed by dims of 1.
bool reshapes_leniently(const Shape& stored, const Shape& wanted) {
  return stored.size() > wanted.size() &&
         std::equal(wanted.begin(), wanted.end(), stored.begin()) &&
         std::all_of(stored.begin() + wanted.size(), stored.end(),
                     [](int64_t extent) { return extent == 1; });
}

class Matcher {
 public:
  Matcher(std::span<const NetworkParameter> parameters, const Catalog& catalog,
          const MatchOptions& options)
      : parameters_(parameters), catalog_(catalog), options_(options) {
    stored_names_ = map_names(catalog.names(), options.renaming, wanted_names());
    for (size_t i = 0; i < stored_names_.size(); ++i) {
      std::string_view name = stored_names_[i];
      if (is_left_out(i) || !name.starts_with(options.prefix)) continue;
      name.remove_prefix(options.prefix.size());
      by_name_.emplace(name, i);
    }
    require(options.prefix.empty() || !by_name_.empty(), "no stored name begins with '{}'{}",
            printable(options.prefix), suggest(options.prefix, stored_names_));
  }

  MatchReport run() {
    check_allow();
    check_reinit();
    std::vector<size_t> missing;
    for (size_t p = 0; p < parameters_.size(); ++p) {
      if (matches_any(options_.reinit, parameters_[p].name)) {
        leave_new(p);
        continue;
      }
      const auto found = by_name_.find(parameters_[p].name);
      if (found == by_name_.end()) {
        missing.push_back(p);
      } else {
        add(p, found->second, false);
      }
    }
    if (options_.lenient) match_by_prefix(missing);
    list_unused();
    if (options_.renaming.whole && !report_.not_used.empty()) refuse_unused(missing);
    report_missing(missing);
    std::sort(report_.matches.begin(), report_.matches.end(),
              [](const auto& a, const auto& b) { return a.parameter < b.parameter; });
    return std::move(report_);
  }

 private:
  /// The parameters' names as the checkpoint has them: with the prefix.
  std::vector<std::string> wanted_names() const {
    std::vector<std::string> names;
    for (const NetworkParameter& parameter : parameters_)
      names.push_back(options_.prefix + parameter.name);
    return names;
  }

  /// Whether a rule leaves the record out; a file that has an empty name has it without rules.
  bool is_left_out(size_t record) const {
    return stored_names_[record].empty() && !catalog_.records[record].name.empty();
  }

  void list_unused() {
    std::vector<bool> is_used(stored_names_.size(), false);
    for (const ParameterMatch& match : report_.matches) is_used[match.record] = true;
    for (size_t i = 0; i < is_used.size(); ++i)
      if (!is_used[i] && !is_left_out(i)) report_.not_used.push_back(catalog_.records[i].name);
  }

  /// A whole map must send every stored name somewhere.
  [[noreturn]] void refuse_unused(const std::vector<size_t>& missing) const {
    std::vector<std::string> unused, unfilled;
    for (const std::string& name : report_.not_used) unused.push_back(printable(name));
    for (const size_t p : missing) unfilled.push_back(printable(parameters_[p].name));
    fail(ErrorCode::kInvalidArgument,
         "the name map sends {} stored names to no parameter of the network: {}; give them a rule, "
         "or leave them out with 'PATTERN='{}",
         unused.size(), join(unused, ", "),
         unfilled.empty() ? "" : "; nothing fills " + join(unfilled, ", "));
  }

  void check_allow() const {
    if (options_.allow.empty()) return;
    std::vector<std::string> names = stored_names_;
    for (const NetworkParameter& parameter : parameters_) names.push_back(parameter.name);
    if (!options_.renaming.empty())
      for (const Record& record : catalog_.records) names.push_back(record.name);
    tessera::check_allow(options_.allow, names);
  }

  bool may_differ(const std::string& name) const { return options_.lenient || is_allowed(name); }
  bool is_allowed(const std::string& name) const { return matches_any(options_.allow, name); }

  static bool matches_any(const std::vector<std::string>& patterns, const std::string& name) {
    return std::any_of(patterns.begin(), patterns.end(),
                       [&](const std::string& pattern) { return matches(pattern, name); });
  }

  void check_reinit() const {
    std::vector<std::string> names;
    for (const NetworkParameter& parameter : parameters_) names.push_back(parameter.name);
    for (const std::string& pattern : options_.reinit)
      require(std::any_of(names.begin(), names.end(),
                          [&](const std::string& name) { return matches(pattern, name); }),
              "no parameter of the network matches '{}', which is to stay new{}",
              printable(pattern), suggest(pattern, names));
  }

  void leave_new(size_t p) {
    const NetworkParameter& parameter = parameters_[p];
    const auto found = by_name_.find(parameter.name);
    report_.not_loaded.push_back(parameter.name);
    if (found != by_name_.end())
      report_.notes.push_back(
          fmt::format("'{}' stays new: it is {} in the network and {} in the checkpoint",
                      printable(parameter.name), type_text(parameter.dtype, parameter.shape),
                      describe(catalog_.records[found->second])));
  }

  void add(size_t p, size_t r, bool by_prefix) {
    const NetworkParameter& parameter = parameters_[p];
    const Record& record = catalog_.records[r];
    const auto both = [&] {
      return fmt::format(
          "'{}' is {} in the checkpoint{} but {} in the network", printable(parameter.name),
          describe(record),
          record.name == parameter.name ? "" : fmt::format(" ('{}')", printable(record.name)),
          type_text(parameter.dtype, parameter.shape));
    };
    require(record.kind == RecordKind::kTensor, "{}", late(both));
    ParameterMatch match{p, r, by_prefix, record.dtype != parameter.dtype,
                         record.shape != parameter.shape};
    const bool can_reshape = reshapes_leniently(record.shape, parameter.shape);
    const bool can_convert = converts_leniently(record.dtype, parameter.dtype);
    const bool may = may_differ(parameter.name);
    const bool can = (!match.reshapes || can_reshape) && (!match.converts || can_convert);
    if ((match.reshapes || match.converts) && !(can && may)) {
      fail(ErrorCode::kInvalidArgument, "{}{}", both(),
           can ? fmt::format("; '--allow {}' converts this one, '--lenient' all",
                             printable(parameter.name))
           : match.reshapes && !can_reshape
               ? "; '--allow' does not help here: give the model the option that makes this shape, "
                 "convert the checkpoint, or let '--reinit' leave this parameter new"
               : "; '--allow' does not help here: it converts floating dtypes into each other, and "
                 "signed integers");
    }
    if (match.converts || match.reshapes) report_.notes.push_back("converted: " + both());
    if (by_prefix) {
      report_.notes.push_back(fmt::format("'{}' filled from '{}' by its ending",
                                          printable(parameter.name), printable(record.name)));
    }
    report_.matches.push_back(match);
  }

  /// MindSpore's rounds: a prefix is what precedes a missing name at the end of a stored name;
  /// each new prefix is tried on everything that is missing.
  void match_by_prefix(std::vector<size_t>& missing) {
    if (missing.empty()) return;
    std::string prefix;
    std::string previous = parameters_[missing[0]].name;
    while (prefix != previous && !missing.empty()) {
      prefix = previous;
      for (const size_t p : missing) {
        prefix = prefix_of(parameters_[p].name, std::move(prefix));
        if (prefix != previous) break;
      }
      if (prefix == previous) return;
      std::erase_if(missing, [&](size_t p) {
        const auto found = by_name_.find(prefix + parameters_[p].name);
        if (found == by_name_.end()) return false;
        add(p, found->second, true);
        return true;
      });
      std::swap(prefix, previous);
      prefix.clear();
    }
  }

  /// What precedes `name` in the first stored name that ends with it; `otherwise` when none does.
  std::string prefix_of(const std::string& name, std::string otherwise) const {
    for (const std::string& stored : stored_names_)
      if (stored.ends_with(name)) return stored.substr(0, stored.size() - name.size());
    return otherwise;
  }

  void report_missing(const std::vector<size_t>& missing) {
    std::vector<std::string> refused;
    for (const size_t p : missing) {
      const std::string& name = parameters_[p].name;
      if (options_.lenient && name.starts_with("accu_grads")) continue;
      report_.not_loaded.push_back(name);
      if (!may_differ(name)) refused.push_back(name);
    }
    if (refused.empty()) return;
    const bool is_pytorch =
        !options_.renaming.pytorch &&
        std::any_of(stored_names_.begin(), stored_names_.end(),
                    [](const std::string& name) { return name.ends_with(".running_mean"); });
    const NetworkParameter& first = *std::find_if(
        parameters_.begin(), parameters_.end(),
        [&](const NetworkParameter& parameter) { return parameter.name == refused[0]; });
    fail(ErrorCode::kNotFound,
         "the checkpoint has no '{}' ({}){}{}; {}'--rename', '--prefix' or '--lenient' map other "
         "names, '--allow {}' leaves it out",
         printable(refused[0]), type_text(first.dtype, first.shape),
         suggest(refused[0], stored_names_),
         refused.size() == 1 ? ""
                             : fmt::format(" and lacks {} more of the {} parameters of the network",
                                           refused.size() - 1, parameters_.size()),
         is_pytorch ? "the stored names are PyTorch's: '--rename pytorch' translates them; " : "",
         printable(refused[0]));
  }

  std::span<const NetworkParameter> parameters_;
  const Catalog& catalog_;
  const MatchOptions& options_;
  std::vector<std::string> stored_names_;
  std::map<std::string, size_t, std::less<>> by_name_;
  MatchReport report_;
};

}  // namespace

MatchReport match_parameters(std::span<const NetworkParameter> parameters, const Catalog& catalog,
                             const MatchOptions& options) {
  return Matcher(parameters, catalog, options).run();
}

Tensor fit(Tensor stored, const ParameterMatch& match, const NetworkParameter& parameter) {
  if (match.reshapes) stored = stored.reshape(parameter.shape);
  if (match.converts) stored = stored.cast(parameter.dtype);
  return stored;
}

std::vector<Tensor> load_parameters(const Checkpoint& checkpoint,
                                    std::span<const NetworkParameter> parameters,
                                    const MatchReport& report, const LoadOptions& options) {
  std::vector<Target> targets;
  targets.reserve(report.matches.size());
  for (const ParameterMatch& match : report.matches) {
    const Record& record = checkpoint.catalog.records.at(match.record);
    targets.push_back({record.name, record.dtype, record.shape, whole(record.shape)});
  }
  std::vector<Tensor> loaded = load_tensors(checkpoint, targets, options);
  std::vector<Tensor> tensors(parameters.size());
  for (size_t i = 0; i < loaded.size(); ++i) {
    const ParameterMatch& match = report.matches[i];
    tensors[match.parameter] = fit(std::move(loaded[i]), match, parameters[match.parameter]);
  }
  return tensors;
}

}  // namespace tessera
