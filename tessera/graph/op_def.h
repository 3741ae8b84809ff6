// Everything Tessera knows about one op. Each op is one file of tessera/ops, which defines one
// OpDef; faster kernels are files of tessera/ops/cpu.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tessera/graph/kernel.h"
#include "tessera/graph/op_call.h"
#include "tessera/layout/sharding_rule.h"

namespace tessera {

/// The dtypes that an operand may have. Within one call, operands other than kIndex and kMixed have
/// one dtype.
enum class DTypes : uint8_t {
  kFloat,   // f16, bf16, f32, f64
  kNumber,  // these and the integers
  kMixed,   // numbers and bool; operands may differ, the op promotes them
  kAny,     // every dtype: the op moves elements and never computes with them
  kIndex,   // i32, i64
};
/// "f16, bf16, f32 or f64".
std::string_view to_string(DTypes dtypes);
bool accepts(DTypes dtypes, DType dtype);

struct OperandDef {
  std::string_view name;
  DTypes dtypes = DTypes::kFloat;
  bool optional = false;  // trailing operands only
  bool variadic = false;  // the last operand may come any number of times, once at least
};

/// A small call: tests, documentation and benchmarks use them all.
struct OpExample {
  std::vector<Shape> shapes;
  Attrs attrs = {};
  std::vector<DType> dtypes = {};  // kF32 where shorter
  int64_t index_limit = 0;         // integer operands are drawn from [0, index_limit)
  bool positive = false;           // floats are drawn from [0.5, 1.5) instead of [-1, 1)
};

struct GradientCall;
struct Value;
/// See graph/gradient.h.
using GradientFn = std::vector<std::optional<Value>> (*)(const GradientCall&);

struct OpDef {
  std::string_view name;  // filled in by the registry: the name of the file
  /// Filled in by the registry: above 0, of an op that stays as it is while the process lives. What
  /// such an op infers is remembered.
  int number = 0;
  std::string_view mindspore_name;
  std::string_view doc;  // one sentence, with the formula
  std::vector<OperandDef> operands;
  std::vector<AttrDef> attrs = {};
  /// The rule in the notation of sharding_rule.h, for the operands' global shapes.
  std::function<std::string(const OpCall&)> rule;
  /// The results' dtypes; null: one per result, that of operand 0.
  std::function<std::vector<DType>(const OpCall&)> result_dtypes = nullptr;
  /// Checks that neither rule nor dtypes can say, such as attribute values; may be null. Runs
  /// before the rule is made, with whole operands. Throws.
  void (*check)(const OpCall&) = nullptr;
  /// Adds the nodes through which gradients flow back; null: none can.
  GradientFn gradient = nullptr;
  /// Result 0 is operand 0's elements in row-major order under another shape: no kernel runs.
  bool is_view = false;
  /// The ranks compute it together; globally its result is its operand.
  bool is_collective = false;
  std::vector<Kernel> kernels = {};  // best first; the last one is the reference
  std::vector<OpExample> examples = {};

  /// A rule that depends on no attribute.
  static std::function<std::string(const OpCall&)> fixed_rule(std::string_view text) {
    return [text](const OpCall&) { return std::string(text); };
  }
};

/// Looks an op up by name; null when there is none.
using OpLookup = const OpDef* (*)(std::string_view name);

/// `attrs` checked against the op's definition (names, types), with defaults filled in. An integer
/// is taken where a double is wanted. Throws kInvalidArgument naming the op and the attribute.
Attrs complete_attrs(const OpDef& op, Attrs attrs);

/// The rule of a call, fitted to its global operand shapes.
ShardingRule rule_of(const OpDef& op, const OpCall& call);

/// Checks operands and attributes and gives the result types (global). `attrs` must be complete.
/// Throws kInvalidArgument, saying what was found and what the op wants.
std::vector<TensorType> infer_results(const OpDef& op, std::span<const TensorType> operands,
                                      const Attrs& attrs);

/// Runs the reference kernel on whole tensors: the oracle of tests, and the evaluator of constants.
std::vector<Tensor> evaluate(const OpDef& op, std::span<const Tensor> operands, const Attrs& attrs);

}  // namespace tessera
