#include "tessera/ops/cpu/internal/direct_kernel.h"
#include "tessera/ops/cpu/internal/f32_only.h"
#include "tessera/ops/define_op.h"
#include "tessera/ops/internal/window.h"

namespace tessera {
namespace {

constexpr int64_t kMostChannels = 32;

bool is_2x2(const WindowDim& dim) {
  return dim.kernel == 2 && dim.stride == 2 && dim.pad_begin == 0 && dim.output == dim.input / 2;
}

/// Depends on what is the same for every part of a tensor: one element must come from one kernel.
Support supports(const OpCall& call) {
  if (internal::available_simd() == internal::Simd::kNone) {
    return Support::no("the processor has no AVX2");
  }
  if (Support support = internal::f32_only(call); !support.ok) return support;
  if (element_count(call.results[0].shape()) == 0) return Support::no("a tensor is empty");
  // More channels come from kernels that keep them in blocks, and stay so.
  if (call.global(0)[1] > kMostChannels) {
    return Support::no(fmt::format("made for at most {} channels", kMostChannels));
  }
  const Window window = pool_window(call);
  if (is_2x2(window.y) && is_2x2(window.x)) return Support::yes();
  return Support::no("made for windows of 2x2 with stride 2 and no padding");
}

class PreparedPool final : public internal::DirectKernel {
 public:
  explicit PreparedPool(const OpCall& call)
      : DirectKernel(call, static_cast<double>(element_count(call.shape(0))),
                     call.shape(0)[0] * call.shape(0)[1]),
        shape_(call.shape(0)) {}

  std::string detail() const override {
    return std::string(internal::to_string(internal::available_simd()));
  }

  void run(std::span<const Tensor> operands, std::span<Tensor> results) override {
    const float* image = in(operands, 0);
    float* made = out(results);
    const int64_t height = shape_[2];
    const int64_t width = shape_[3];
    internal::parallel_ranges(shape_[0] * shape_[1], threads_, [&](int64_t begin, int64_t end) {
      internal::run_max_pool_2x2(internal::available_simd(), {end - begin, height, width},
                                 image + begin * height * width,
                                 made + begin * (height / 2) * (width / 2));
    });
  }

 private:
  Shape shape_;
};

}  // namespace

TESSERA_KERNEL(max_pool, cpu_direct) {
  return {.name = "direct",
          .supports = supports,
          .prepare = [](const OpCall& call, const Formats&) -> std::unique_ptr<PreparedKernel> {
            return std::make_unique<PreparedPool>(call);
          },
          .position_independent = true};
}

}  // namespace tessera
