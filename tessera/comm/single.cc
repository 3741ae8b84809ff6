// One rank alone: what it gives is what it gets.
#include <array>

#include "tessera/comm/internal/backends.h"
#include "tessera/comm/internal/requests.h"

namespace tessera::internal {
namespace {

constexpr std::array<int, 1> kZero{0};

class SingleCommunicator final : public RequestCommunicator {
 public:
  SingleCommunicator() = default;

  std::string_view backend() const override { return "single"; }
  Rank rank() const override { return 0; }
  int size() const override { return 1; }
  std::span<const int> machines() const override { return kZero; }
  void abort(std::string_view reason) noexcept override { reason_ = reason.empty() ? " " : reason; }
  const std::string& reason() const { return reason_; }

 protected:
  std::span<const Rank> members() const override { return kZero; }
  void perform(const Request& request) override {
    if (!reason_.empty()) fail(ErrorCode::kComm, "{}", reason_);
    const Call* const call = &request.call;
    const std::string wrong = find_disagreement({&call, 1}, kZero);
    if (!wrong.empty()) fail(ErrorCode::kComm, "{}", wrong);
    for (Tensor& output : request.outputs) copy_part(request.inputs[0], output);
  }
  std::unique_ptr<Communicator> split_checked(std::span<const Rank> /*ranks*/) override {
    return std::make_unique<SingleCommunicator>();
  }

 private:
  std::string reason_;
};

}  // namespace

void run_single(const WorldOptions& /*options*/, const Body& body) {
  SingleCommunicator world;
  body(world);
  if (!world.reason().empty()) fail(ErrorCode::kComm, "{}", world.reason());
}

}  // namespace tessera::internal
