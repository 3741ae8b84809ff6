#include "tessera/ops/cpu/nhwc/internal/pool_kernel.h"

#include "tessera/ops/cpu/internal/parallel.h"
#include "tessera/ops/cpu/nhwc/internal/channels_last.h"

namespace tessera::internal {
namespace {

class PreparedPool final : public ChannelsLastKernel {
 public:
  PreparedPool(const OpCall& call, const PixelPool& pool)
      : ChannelsLastKernel(call, {channels_last(call.shape(0))}), pool_(pool) {
    pool_.simd = available_simd();
    pool_.images = call.shape(0)[0];
    pool_.channels = call.shape(0)[1];
    const double work = static_cast<double>(element_count(call.results[0].shape()) *
                                            pool.window.y.kernel * pool.window.x.kernel);
    pool_.threads = worthwhile_threads(2 * work, pool_.images * pool_.window.y.output);
  }

  std::string detail() const override { return std::string(internal::to_string(pool_.simd)); }

  void run(std::span<const Tensor> operands, std::span<Tensor> results) override {
    pool_.out_pitch = out_pitch_;
    run_pixel_pool(pool_, in(operands, 0), out(results));
  }

 private:
  PixelPool pool_;
};

}  // namespace

std::unique_ptr<PreparedKernel> prepare_pixel_pool(const OpCall& call, PixelPool pool) {
  return std::make_unique<PreparedPool>(call, pool);
}

Support pool_suits(const OpCall& call, const Formats& offered) {
  return offered_channels_last(call, offered, 0);
}

}  // namespace tessera::internal
