// Included by the files in tessera/ops, each of which defines one op named after the file.
#pragma once

#include "tessera/graph/op_def.h"

/// Begins the definition of the op `op_name`: a function that returns its OpDef. The build lists
/// the files of tessera/ops, so the file is all an op needs; a file without its TESSERA_OP, or with
/// another name in it, does not link.
#define TESSERA_OP(op_name) ::tessera::OpDef define_##op_name()

/// Begins the definition of a faster kernel of the op `op_name` for `device`, in
/// tessera/ops/<device>/<op_name>.cc: a function that returns its Kernel.
#define TESSERA_KERNEL(op_name, device) ::tessera::Kernel define_##device##_##op_name()
