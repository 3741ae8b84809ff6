// oneDNN's memory descriptions as formats of the runtime.
#pragma once

#include "tessera/ops/cpu/internal/dnnl_call.h"

namespace tessera::internal {

/// Written as oneDNN does: dims are letters, slowest first; a capital dim is blocked, and its block
/// follows with its size. nChw16c is "aBcd16b".
class DnnlFormat final : public MemoryFormat {
 public:
  explicit DnnlFormat(DnnlDesc desc) : desc_(std::move(desc)) {}

  bool equals(const MemoryFormat& other) const override;
  std::string to_string() const override;
  int64_t byte_count() const override { return static_cast<int64_t>(desc_.get_size()); }
  const DnnlDesc& desc() const { return desc_; }

 private:
  DnnlDesc desc_;
};

}  // namespace tessera::internal
