#include "tessera/ops/cpu/internal/dnnl_call.h"

#include <algorithm>
#include <unordered_map>

#include "tessera/ops/cpu/internal/dnnl_format.h"
#include "tessera/ops/cpu/internal/f32_only.h"
#include "tessera/ops/cpu/internal/parallel.h"
#include "tessera/ops/internal/fused.h"

namespace tessera::internal {
namespace {

dnnl::stream& dnnl_stream() {
  thread_local dnnl::stream stream(dnnl_engine());
  return stream;
}

const void* address_of(const Tensor& tensor) {
  return tensor.buffer()->data() + tensor.byte_offset();
}

/// Runs one primitive. Memory objects stay; only addresses that changed since the last run are set.
class DnnlKernel final : public PreparedKernel {
 public:
  DnnlKernel(const OpCall& call, const DnnlCall& described)
      : implementation_(described.implementation),
        overwritten_(described.overwritten),
        threads_(worthwhile_threads(described.work, thread_limit())) {
    formats_.operands.resize(call.operand_count());
    formats_.results.resize(call.results.size());
    for (const DnnlCall::Argument& argument : described.arguments) {
      (argument.is_result ? formats_.results : formats_.operands)[argument.position] =
          argument.format;
      // An operand that is overwritten is the result's memory: oneDNN sees it once.
      if (!argument.is_result && static_cast<int>(argument.position) == overwritten_) continue;
      dnnl::memory memory(argument.desc, dnnl_engine(), nullptr);
      memories_.push_back({argument.is_result, argument.position, memory, nullptr});
      arguments_.emplace(argument.id, memory);
    }
    if (described.scratchpad.get_size() > 0) {
      scratchpad_ = Buffer::allocate(static_cast<int64_t>(described.scratchpad.get_size()));
      arguments_.emplace(DNNL_ARG_SCRATCHPAD, dnnl::memory(described.scratchpad, dnnl_engine(),
                                                           scratchpad_->mutable_data()));
    }
    const ThreadLimit limit(threads_);
    primitive_ = described.create();
  }

  const Formats& formats() const override { return formats_; }
  int overwritten_operand() const override { return overwritten_; }
  std::string detail() const override { return implementation_; }

  void run(std::span<const Tensor> operands, std::span<Tensor> results) override {
    for (Memory& memory : memories_) {
      const Tensor& tensor =
          memory.is_result ? results[memory.position] : operands[memory.position];
      const void* address = address_of(tensor);
      if (address == memory.address) continue;
      memory.handle.set_data_handle(const_cast<void*>(address));  // oneDNN knows no const
      memory.address = address;
    }
    const ThreadLimit limit(threads_);
    try {
      primitive_.execute(dnnl_stream(), arguments_);
    } catch (const dnnl::error& error) {
      fail(ErrorCode::kInternal, "oneDNN: {}", error.what());
    }
  }

 private:
  struct Memory {
    bool is_result;
    size_t position;
    dnnl::memory handle;
    const void* address;
  };

  Formats formats_;
  std::string implementation_;
  int overwritten_;
  int threads_;
  dnnl::primitive primitive_;
  std::shared_ptr<Buffer> scratchpad_;
  std::vector<Memory> memories_;
  std::unordered_map<int, dnnl::memory> arguments_;
};

}  // namespace

const dnnl::engine& dnnl_engine() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

dnnl::primitive_attr plain_attr() {
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return attr;
}

bool is_constant(const OpCall& call, size_t i) {
  return i < call.constants.size() && call.constants[i] != nullptr;
}

Eltwise eltwise_of(Activation activation, double alpha) {
  using dnnl::algorithm;
  switch (activation) {
    case Activation::kRelu:
      return {algorithm::eltwise_relu};
    case Activation::kRelu6:
      return {algorithm::eltwise_clip, 0.0F, 6.0F};
    case Activation::kLeakyRelu:
      return {algorithm::eltwise_relu, static_cast<float>(alpha)};
    case Activation::kGelu:
      return {algorithm::eltwise_gelu_tanh};
    case Activation::kSigmoid:
      return {algorithm::eltwise_logistic};
    case Activation::kTanh:
      return {algorithm::eltwise_tanh};
    case Activation::kNone:
      break;
  }
  return {algorithm::eltwise_linear, 1.0F};
}

bool has_bias(const OpCall& call) {
  return call.operand_count() > kBiasOperand;
}

bool has_residual(const OpCall& call) {
  return call.operand_count() > kResidualOperand;
}

dnnl::primitive_attr fused_attr(const OpCall& call) {
  dnnl::post_ops posts;
  if (has_residual(call)) posts.append_sum(1.0F);
  const Activation activation = parse_activation(call.attr<std::string>("activation"));
  if (activation != Activation::kNone) {
    const Eltwise eltwise = eltwise_of(activation, call.attr<double>("alpha"));
#if DNNL_VERSION_MAJOR >= 3
    posts.append_eltwise(eltwise.algorithm, eltwise.alpha, eltwise.beta);
#else
    posts.append_eltwise(1.0F, eltwise.algorithm, eltwise.alpha, eltwise.beta);
#endif
  }
  dnnl::primitive_attr attr;
  attr.set_post_ops(posts);
  return attr;
}

Support fused_shapes_fit(const OpCall& call, int64_t channels) {
  if (has_bias(call) && call.shape(kBiasOperand) != Shape{channels}) {
    return Support::no("the bias is not one value per output channel");
  }
  if (has_residual(call) && call.shape(kResidualOperand) != call.results[0].shape()) {
    return Support::no("the residual is broadcast");
  }
  return Support::yes();
}

void add_fused_operands(DnnlCall& described, const OpCall& call, const DnnlDesc& bias,
                        const DnnlDesc& result) {
  if (has_bias(call)) described.operand(DNNL_ARG_BIAS, kBiasOperand, bias);
  if (!has_residual(call)) return;
  described.operand(DNNL_ARG_DST, kResidualOperand, result);
  described.overwritten = static_cast<int>(kResidualOperand);
}

Support dnnl_supports(const OpCall& call, DescribeDnnl describe) {
  if (Support support = f32_filled(call); !support.ok) return support;
  try {
    Formats plain;
    plain.operands.resize(call.operand_count());
    (void)describe(call, plain);
    return Support::yes();
  } catch (const dnnl::error&) {
    return Support::no("oneDNN has no implementation for these shapes and attributes");
  }
}

std::unique_ptr<PreparedKernel> dnnl_prepare(const OpCall& call, const DnnlCall& described) {
  return std::make_unique<DnnlKernel>(call, described);
}

}  // namespace tessera::internal
