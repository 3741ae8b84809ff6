#include "tessera/comm/planned_rank.h"

#include <algorithm>

#include "tessera/comm/internal/requests.h"

namespace tessera {
namespace {

class PlannedCommunicator final : public internal::RequestCommunicator {
 public:
  PlannedCommunicator(std::vector<Rank> members, Rank rank)
      : members_(std::move(members)), rank_(rank), machines_(members_.size(), 0) {}

  std::string_view backend() const override { return "plan"; }
  Rank rank() const override { return rank_; }
  int size() const override { return static_cast<int>(members_.size()); }
  std::span<const int> machines() const override { return machines_; }
  void abort(std::string_view /*reason*/) noexcept override {}

 protected:
  std::span<const Rank> members() const override { return members_; }
  void perform(const internal::Request& /*request*/) override {
    fail(ErrorCode::kInternal, "rank {} is planned only: nothing moves",
         members_[static_cast<size_t>(rank_)]);
  }
  std::unique_ptr<Communicator> split_checked(std::span<const Rank> ranks) override {
    std::vector<Rank> members;
    for (const Rank rank : ranks) members.push_back(members_[static_cast<size_t>(rank)]);
    const auto self = std::find(ranks.begin(), ranks.end(), rank_);
    return std::make_unique<PlannedCommunicator>(std::move(members),
                                                 static_cast<Rank>(self - ranks.begin()));
  }

 private:
  std::vector<Rank> members_;
  Rank rank_;
  std::vector<int> machines_;
};

}  // namespace

std::unique_ptr<Communicator> planned_rank(Rank rank, int size) {
  require(rank >= 0 && rank < size, "there is no rank {} of {}", rank, size);
  std::vector<Rank> all;
  for (Rank each = 0; each < size; ++each) all.push_back(each);
  return std::make_unique<PlannedCommunicator>(std::move(all), rank);
}

}  // namespace tessera
