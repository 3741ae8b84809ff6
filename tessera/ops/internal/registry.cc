#include "tessera/ops/registry.h"

#include <algorithm>
#include <string>
#include <vector>

#include "tessera/base/text.h"

namespace tessera {

#define TESSERA_FILE(op_name) OpDef define_##op_name();
#include "tessera/ops_files.inc"
#undef TESSERA_FILE
#define TESSERA_FILE(op_name) Kernel define_cpu_##op_name();
#include "tessera/ops_cpu_files.inc"
#undef TESSERA_FILE
#define TESSERA_FILE(op_name) Kernel define_cpu_bf16_##op_name();
#include "tessera/ops_cpu_bf16_files.inc"
#undef TESSERA_FILE
#define TESSERA_FILE(op_name) Kernel define_cpu_raw_##op_name();
#include "tessera/ops_cpu_raw_files.inc"
#undef TESSERA_FILE
#define TESSERA_FILE(op_name) Kernel define_cpu_direct_##op_name();
#include "tessera/ops_cpu_direct_files.inc"
#undef TESSERA_FILE
#define TESSERA_FILE(op_name) Kernel define_cpu_nhwc_##op_name();
#include "tessera/ops_cpu_nhwc_files.inc"
#undef TESSERA_FILE
#define TESSERA_FILE(op_name) Kernel define_cpu_train_##op_name();
#include "tessera/ops_cpu_train_files.inc"
#undef TESSERA_FILE
#define TESSERA_FILE(op_name) Kernel define_cpu_exact_##op_name();
#include "tessera/ops_cpu_exact_files.inc"
#undef TESSERA_FILE

namespace {

// Unused where no kernel but the references is built.
[[maybe_unused]] OpDef& op_named(std::vector<OpDef>& ops, std::string_view name) {
  const auto same = [&](const OpDef& op) { return op.name == name; };
  const auto it = std::find_if(ops.begin(), ops.end(), same);
  if (it == ops.end()) fail(ErrorCode::kInternal, "kernel of '{}', which is no op", name);
  return *it;
}

[[maybe_unused]] void add_kernel(std::vector<OpDef>& ops, std::string_view op, Kernel kernel) {
  std::vector<Kernel>& kernels = op_named(ops, op).kernels;
  kernels.insert(kernels.end() - 1, kernel);
}

std::vector<OpDef> define_ops() {
  std::vector<OpDef> ops;
#define TESSERA_FILE(op_name) ops.push_back(define_##op_name()), ops.back().name = #op_name;
#include "tessera/ops_files.inc"
#undef TESSERA_FILE
  // Kernels made for few cases come before those for many; the reference stays last.
#define TESSERA_FILE(op_name) add_kernel(ops, #op_name, define_cpu_bf16_##op_name());
#include "tessera/ops_cpu_bf16_files.inc"
#undef TESSERA_FILE
#define TESSERA_FILE(op_name) add_kernel(ops, #op_name, define_cpu_raw_##op_name());
#include "tessera/ops_cpu_raw_files.inc"
#undef TESSERA_FILE
#define TESSERA_FILE(op_name) add_kernel(ops, #op_name, define_cpu_direct_##op_name());
#include "tessera/ops_cpu_direct_files.inc"
#undef TESSERA_FILE
#define TESSERA_FILE(op_name) add_kernel(ops, #op_name, define_cpu_nhwc_##op_name());
#include "tessera/ops_cpu_nhwc_files.inc"
#undef TESSERA_FILE
#define TESSERA_FILE(op_name) add_kernel(ops, #op_name, define_cpu_##op_name());
#include "tessera/ops_cpu_files.inc"
#undef TESSERA_FILE
#define TESSERA_FILE(op_name) add_kernel(ops, #op_name, define_cpu_train_##op_name());
#include "tessera/ops_cpu_train_files.inc"
#undef TESSERA_FILE
#define TESSERA_FILE(op_name) add_kernel(ops, #op_name, define_cpu_exact_##op_name());
#include "tessera/ops_cpu_exact_files.inc"
#undef TESSERA_FILE
  std::sort(ops.begin(), ops.end(), [](const OpDef& a, const OpDef& b) { return a.name < b.name; });
  for (size_t i = 0; i < ops.size(); ++i) ops[i].number = static_cast<int>(i) + 1;
  return ops;
}

}  // namespace

std::span<const OpDef> all_ops() {
  static const std::vector<OpDef> ops = define_ops();
  return ops;
}

const OpDef* find_op(std::string_view name) {
  const std::span<const OpDef> ops = all_ops();
  const auto it =
      std::lower_bound(ops.begin(), ops.end(), name,
                       [](const OpDef& op, std::string_view wanted) { return op.name < wanted; });
  return it != ops.end() && it->name == name ? &*it : nullptr;
}

const OpDef& require_op(std::string_view name) {
  if (const OpDef* op = find_op(name)) return *op;
  std::vector<std::string> names;
  for (const OpDef& op : all_ops()) names.emplace_back(op.name);
  fail(ErrorCode::kInvalidArgument, "there is no op '{}'{}", printable(name), suggest(name, names));
}

}  // namespace tessera
