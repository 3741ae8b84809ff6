#include "tessera/ops/internal/fused.h"

namespace tessera::internal {

bool is_fused(const OpCall& call) {
  return call.operand_count() > kBiasOperand || !call.attr<std::string>("activation").empty();
}

}  // namespace tessera::internal
