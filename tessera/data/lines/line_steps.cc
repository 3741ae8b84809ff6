#include "tessera/data/lines/line_steps.h"

#include <utility>

namespace tessera::internal {
namespace {

class JoinedLines final : public RowStep {
 public:
  JoinedLines(std::shared_ptr<const RowStep> giver, std::shared_ptr<const RowStep> taker,
              const PixelBox& part)
      : RowStep(RowStepKind::kGeneral, taker->result()),
        giver_(std::move(giver)),
        taker_(std::move(taker)),
        lines_of_(dynamic_cast<const GivesLines&>(*giver_)),
        takes_(dynamic_cast<const TakesLines&>(*taker_)),
        part_(part) {}

  std::optional<PixelBox> needed(const std::optional<PixelBox>& /*wanted*/) const override {
    return giver_->needed(part_);
  }
  void run(std::span<const std::byte> row, std::span<std::byte> out) const override {
    lines_of_.give_lines(
        row, [&](int64_t y, std::span<const uint8_t> line) { takes_.take_line(y, line, out); });
  }

 private:
  std::shared_ptr<const RowStep> giver_;
  std::shared_ptr<const RowStep> taker_;
  const GivesLines& lines_of_;
  const TakesLines& takes_;
  PixelBox part_;
};

}  // namespace

std::shared_ptr<const RowStep> join_by_lines(std::shared_ptr<const RowStep> giver,
                                             std::shared_ptr<const RowStep> taker,
                                             const PixelBox& part) {
  const auto* gives = dynamic_cast<const GivesLines*>(giver.get());
  if (gives == nullptr || !gives->gives_lines_of(part)) return nullptr;
  if (dynamic_cast<const TakesLines*>(taker.get()) == nullptr) return nullptr;
  return std::make_shared<JoinedLines>(std::move(giver), std::move(taker), part);
}

}  // namespace tessera::internal
