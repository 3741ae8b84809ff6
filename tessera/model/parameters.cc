#include "tessera/model/parameters.h"

#include <algorithm>

#include "tessera/base/text.h"
#include "tessera/checkpoint/writer.h"

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

  const std::vector<Target> targets = targets_of(checkpoint.catalog);
  std::vector<Tensor> tensors = load_tensors(checkpoint, targets);
  ParameterMap parameters;
  size_t next = 0;
  for (const Record& record : checkpoint.catalog.records) {
    require(record.kind != RecordKind::kMap,
            "'{}' in {} is a map tensor, which a parameter dictionary cannot hold; filter it out",
            printable(record.name), path.string());
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

NotLoaded load_param_into_net(Model& net, const ParameterMap& parameters, bool strict_load) {
  const Catalog catalog = catalog_of(parameters);
  std::vector<NetworkParameter> wanted = net.parameters();
  NotLoaded rest;
  if (strict_load) {
    const auto stored = [&](const NetworkParameter& p) { return catalog.find(p.name) != nullptr; };
    const auto missing = std::stable_partition(wanted.begin(), wanted.end(), stored);
    for (auto p = missing; p != wanted.end(); ++p) rest.param_not_load.push_back(p->name);
    wanted.erase(missing, wanted.end());
  }
  const MatchReport report = match_parameters(wanted, catalog, {.lenient = !strict_load});
  std::vector<bool> exact(catalog.records.size(), false);
  for (const ParameterMatch& match : report.matches) {
    const NetworkParameter& parameter = wanted[match.parameter];
    const auto& stored = std::get<Tensor>(parameters.entries[match.record].second);
    net.set_weight(parameter.name, fit(stored, match, parameter));
    exact[match.record] = !match.by_prefix;
  }
  if (!strict_load) rest.param_not_load = report.not_loaded;
  for (size_t i = 0; i < exact.size(); ++i)
    if (!exact[i]) rest.ckpt_not_load.push_back(catalog.records[i].name);
  return rest;
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
