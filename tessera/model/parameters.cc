#include "tessera/model/parameters.h"

#include <algorithm>

#include "tessera/base/text.h"
#include "tessera/checkpoint/writer.h"
#include "tessera/model/internal/match_net.h"

namespace tessera {

const Tensor* ParameterMap::find(std::string_view name) const {
  for (const auto& [key, value] : entries)
    if (key == name) return std::get_if<Tensor>(&value);
  return nullptr;
}

ParameterMap load_checkpoint(const std::filesystem::path& path,
                             const LoadCheckpointOptions& options) {
  OpenOptions open;
  open.key = options.dec_key;
  open.cipher = options.dec_mode;
  open.crc = options.crc_check ? CrcCheck::kRequired : CrcCheck::kNo;
  open.allow = options.allow;
  Checkpoint checkpoint = open_checkpoint(path, open);
  checkpoint.catalog = select(checkpoint.catalog, options.filter);
  return read_parameters(checkpoint);
}

ParameterMap read_parameters(const Checkpoint& checkpoint) {
  const std::vector<Target> targets = targets_of(checkpoint.catalog);
  std::vector<Tensor> tensors = load_tensors(checkpoint, targets);
  ParameterMap parameters;
  size_t next = 0;
  for (const Record& record : checkpoint.catalog.records) {
    require(record.kind != RecordKind::kMap,
            "'{}' in {} is a map tensor, which a parameter dictionary cannot hold; filter it out",
            printable(record.name), describe_files(checkpoint));
    if (record.kind == RecordKind::kString) {
      parameters.entries.emplace_back(record.name, read_string(checkpoint, record));
    } else {
      parameters.entries.emplace_back(record.name, std::move(tensors.at(next++)));
    }
  }
  return parameters;
}

namespace {

/// The map as a catalog, for matching: names, dtypes and shapes without bytes.
Catalog catalog_of(const ParameterMap& parameters) {
  Catalog catalog;
  for (const auto& [name, value] : parameters.entries) {
    Record& record = catalog.records.emplace_back();
    record.name = name;
    if (const auto* tensor = std::get_if<Tensor>(&value)) {
      record.dtype = tensor->dtype();
      record.shape = tensor->shape();
    } else {
      record.kind = RecordKind::kString;
    }
  }
  index_records(catalog);
  return catalog;
}

}  // namespace

internal::NetMatch internal::match_net(const Model& net, const Catalog& catalog, bool strict_load) {
  NetMatch match;
  match.wanted = net.parameters();
  if (strict_load) {
    const auto stored = [&](const NetworkParameter& p) { return catalog.find(p.name) != nullptr; };
    const auto missing = std::stable_partition(match.wanted.begin(), match.wanted.end(), stored);
    for (auto p = missing; p != match.wanted.end(); ++p)
      match.rest.param_not_load.push_back(p->name);
    match.wanted.erase(missing, match.wanted.end());
  }
  match.report = match_parameters(match.wanted, catalog, {.lenient = !strict_load});
  if (!strict_load) match.rest.param_not_load = match.report.not_loaded;
  std::vector<bool> exact(catalog.records.size(), false);
  for (const ParameterMatch& one : match.report.matches) exact[one.record] = !one.by_prefix;
  for (size_t i = 0; i < exact.size(); ++i)
    if (!exact[i]) match.rest.ckpt_not_load.push_back(catalog.records[i].name);
  return match;
}

NotLoaded load_param_into_net(Model& net, const ParameterMap& parameters, bool strict_load) {
  internal::NetMatch match = internal::match_net(net, catalog_of(parameters), strict_load);
  for (const ParameterMatch& one : match.report.matches) {
    const NetworkParameter& parameter = match.wanted[one.parameter];
    const auto& stored = std::get<Tensor>(parameters.entries[one.record].second);
    net.set_weight(parameter.name, fit(stored, one, parameter));
  }
  return std::move(match.rest);
}

void save_checkpoint(const ParameterMap& parameters, const std::filesystem::path& path,
                     const SaveCheckpointOptions& options) {
  CheckpointWriter writer(
      path, {.key = options.enc_key, .cipher = options.enc_mode, .crc = options.crc_check});
  for (const auto& [name, value] : parameters.entries) {
    if (const auto* tensor = std::get_if<Tensor>(&value)) {
      writer.add(name, *tensor);
    } else {
      writer.add_text(name, std::get<std::string>(value));
    }
  }
  for (const auto& [name, value] : options.append_dict) {
    std::visit(
        [&writer, key = name](const auto& item) {
          if constexpr (std::is_same_v<std::decay_t<decltype(item)>, std::string>) {
            writer.add_text(key, item);
          } else {
            writer.add(key, item);
          }
        },
        value);
  }
  writer.finish();
}

void save_checkpoint(const Model& net, const std::filesystem::path& path,
                     const SaveCheckpointOptions& options) {
  ParameterMap parameters;
  for (const NetworkParameter& parameter : net.parameters())
    parameters.entries.emplace_back(parameter.name, net.weight(parameter.name));
  save_checkpoint(parameters, path, options);
}

}  // namespace tessera
