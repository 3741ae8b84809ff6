#include "tessera/graph/kernel.h"

#include <algorithm>

namespace tessera {
namespace {

class PreparedReference final : public PreparedKernel {
 public:
  PreparedReference(const Kernel& kernel, const OpCall& call)
      : function_(kernel.function),
        operands_(call.operands.begin(), call.operands.end()),
        results_(call.results.begin(), call.results.end()),
        attrs_(call.attrs),
        world_(call.world) {
    formats_.operands.resize(operands_.size());
    formats_.results.resize(results_.size());
  }

  const Formats& formats() const override { return formats_; }
  void run(std::span<const Tensor> operands, std::span<Tensor> results) override {
    function_({operands_, results_, attrs_, {}, world_}, operands, results);
  }

 private:
  void (*function_)(const OpCall&, std::span<const Tensor>, std::span<Tensor>);
  std::vector<TensorType> operands_;
  std::vector<TensorType> results_;
  Attrs attrs_;
  Communicator* world_;
  Formats formats_;
};

}  // namespace

std::unique_ptr<PreparedKernel> MemoryFormat::packer() const {
  return nullptr;
}

bool same_format(const Format& a, const Format& b) {
  if (a == nullptr || b == nullptr) return a == b;
  return a == b || a->equals(*b);
}

std::string to_string(const Format& format) {
  return format == nullptr ? "plain" : format->to_string();
}

Kernel reference(void (*function)(const OpCall&, std::span<const Tensor>, std::span<Tensor>)) {
  return {.name = "reference",
          .device = DeviceKind::kCpu,
          .supports = [](const OpCall&) { return Support::yes(); },
          .prepare = nullptr,
          .function = function,
          .position_independent = true};
}

std::unique_ptr<PreparedKernel> prepare_reference(const Kernel& kernel, const OpCall& call) {
  if (kernel.function == nullptr)
    fail(ErrorCode::kInternal, "kernel '{}' is no reference kernel", kernel.name);
  return std::make_unique<PreparedReference>(kernel, call);
}

}  // namespace tessera
