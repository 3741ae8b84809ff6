#include "tessera/data/internal/row_range.h"

#include "tessera/base/text.h"

namespace tessera::internal {
namespace {

class RangeSource final : public RowSource {
 public:
  RangeSource(std::shared_ptr<const RowSource> all, int64_t first, int64_t size)
      : all_(std::move(all)), first_(first), size_(size) {}

  const std::string& name() const override { return all_->name(); }
  int64_t size() const override { return size_; }
  Row row(int64_t index) const override { return all_->row(first_ + index); }
  Row row_part(int64_t index, const PixelsWanted& wanted) const override {
    return all_->row_part(first_ + index, wanted);
  }
  std::optional<RowView> look(int64_t index) const override { return all_->look(first_ + index); }
  bool has_labels() const override { return all_->has_labels(); }
  std::span<const std::string> class_names() const override { return all_->class_names(); }
  std::string row_name(int64_t index) const override { return all_->row_name(first_ + index); }
  std::vector<std::string> notes() const override { return all_->notes(); }

 private:
  std::shared_ptr<const RowSource> all_;
  int64_t first_;
  int64_t size_;
};

bool is_number(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

int64_t number(std::string_view text) {
  const std::optional<int64_t> value = parse_int(text);
  require(value.has_value(), "'{}' is no number of a row", printable(text));
  return *value;
}

}  // namespace

std::pair<std::string_view, std::optional<RowRange>> split_range(std::string_view notation) {
  const size_t open = notation.rfind('[');
  if (!notation.ends_with(']') || open == std::string_view::npos) return {notation, {}};
  const std::string_view inside = notation.substr(open + 1, notation.size() - open - 2);
  const size_t colon = inside.find(':');
  if (colon == std::string_view::npos) return {notation, {}};
  const std::string_view first = inside.substr(0, colon);
  const std::string_view end = inside.substr(colon + 1);
  if ((!first.empty() && !is_number(first)) || (!end.empty() && !is_number(end)))
    return {notation, {}};
  RowRange range;
  if (!first.empty()) range.first = number(first);
  if (!end.empty()) range.end = number(end);
  require(!range.end || range.first <= *range.end,
          "the rows [{}] of '{}' end before they begin; wanted [FIRST:END], END not among them",
          inside, printable(notation.substr(0, open)));
  return {notation.substr(0, open), range};
}

std::shared_ptr<const RowSource> rows_in(std::shared_ptr<const RowSource> source, RowRange range) {
  const int64_t size = source->size();
  const int64_t end = range.end.value_or(size);
  require(range.first <= size && end <= size, "the rows [{}:{}] were asked for, {} has {}",
          range.first, range.end ? fmt::format("{}", end) : "", source->name(), size);
  return std::make_shared<RangeSource>(std::move(source), range.first, end - range.first);
}

}  // namespace tessera::internal
