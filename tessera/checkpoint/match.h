// Which record of a checkpoint fills which parameter of a network, and loading by it.
//
//   const MatchReport report = match_parameters(parameters, checkpoint.catalog);
//   std::vector<Tensor> weights = load_parameters(checkpoint, parameters, report);
#pragma once

#include <span>
#include <string>
#include <vector>

#include "tessera/checkpoint/load_plan.h"
#include "tessera/checkpoint/name_map.h"

namespace tessera {

struct NetworkParameter {
  std::string name;
  DType dtype = DType::kF32;
  Shape shape;
};

/// Strict by default: every parameter must be there with its shape and dtype.
struct MatchOptions {
  /// MindSpore's load_param_into_net with strict_load=False: missing parameters are listed; a
  /// prefix that all stored names share is dropped; floating dtypes convert into each other, and
  /// so do signed integers; further dims of 1 at the end of the stored shape are dropped.
  bool lenient = false;
  std::string prefix;  // the stored names begin with it, the network's do not
  NameMap renaming;    // of stored names, before everything else
  /// Patterns of parameter names that may be missing, or be converted or reshaped as in `lenient`.
  /// Entries of OpenOptions::allow may be among them; see check_allow.
  std::vector<std::string> allow;
  /// Patterns of parameter names that are not loaded though they may be stored, in whatever shape:
  /// the head of a network that is to have other classes.
  std::vector<std::string> reinit = {};
};

struct ParameterMatch {
  size_t parameter = 0;
  size_t record = 0;       // index into Catalog::records
  bool by_prefix = false;  // found through lenient prefix matching
  bool converts = false;   // the stored dtype differs
  bool reshapes = false;   // the stored shape has further dims of 1
};

struct MatchReport {
  std::vector<ParameterMatch> matches;  // in the order of the parameters
  std::vector<std::string> not_loaded;  // parameters without a record
  std::vector<std::string> not_used;    // stored names that fill nothing, in file order; without
                                        // those that a rule leaves out
  std::vector<std::string> notes;       // what was done that strict matching would refuse
};

/// Throws kNotFound (with the nearest names) or kInvalidArgument naming both sides.
MatchReport match_parameters(std::span<const NetworkParameter> parameters, const Catalog& catalog,
                             const MatchOptions& options = {});

/// A stored tensor as the parameter wants it: reshaped and converted as the match says.
Tensor fit(Tensor stored, const ParameterMatch& match, const NetworkParameter& parameter);

/// One tensor per parameter, with its dtype and shape; undefined for those not loaded.
std::vector<Tensor> load_parameters(const Checkpoint& checkpoint,
                                    std::span<const NetworkParameter> parameters,
                                    const MatchReport& report, const LoadOptions& options = {});

}  // namespace tessera
