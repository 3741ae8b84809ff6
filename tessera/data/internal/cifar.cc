#include "tessera/data/internal/cifar.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <utility>

#include "tessera/base/text.h"
#include "tessera/data/internal/gzip.h"
#include "tessera/io/file.h"

namespace tessera::internal {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kSide = 32;
constexpr size_t kPlane = kSide * kSide;
constexpr size_t kPictureBytes = 3 * kPlane;
constexpr size_t kMaxContent = size_t{1} << 30;  // of one file; CIFAR's own hold 30 MB and 150 MB

using Bytes = std::vector<std::byte>;

/// The records of a file: a whole number of them, at least one.
Bytes read_records(const fs::path& path, size_t record) {
  const ErrorContext context([&] { return fmt::format("reading {}", path.string()); });
  ContentReader reader(path);
  Bytes content;
  if (!reader.is_packed()) content.reserve(std::min<size_t>(reader.size_limit(), kMaxContent));
  constexpr size_t kBlock = size_t{1} << 20;
  for (size_t got = kBlock; got == kBlock;) {
    const size_t size = content.size();
    require_valid(size <= kMaxContent, "it holds more than {}, too much for CIFAR",
                  human_bytes(kMaxContent));
    content.resize(size + kBlock);
    got = reader.read_some(std::span(content).subspan(size));
    content.resize(size + got);
  }
  reader.finish();
  require_valid(!content.empty() && content.size() % record == 0,
                "it holds {} bytes, which are no whole number of records of {}: the last one "
                "begins at byte {}",
                content.size(), record, content.size() / record * record);
  return content;
}

class Cifar final : public RowSource {
 public:
  Cifar(std::string name, const CifarFormat& format, std::span<const fs::path> files)
      : name_(std::move(name)), format_(format), record_(format.label_bytes + kPictureBytes) {
    for (const fs::path& path : files) {
      Bytes records = read_records(path, record_);
      check_labels(records, path);
      if (records_.empty())
        records_ = std::move(records);
      else
        records_.insert(records_.end(), records.begin(), records.end());
    }
  }

  const std::string& name() const override { return name_; }
  int64_t size() const override { return static_cast<int64_t>(records_.size() / record_); }
  std::span<const std::string> class_names() const override { return format_.class_names; }

  Row row(int64_t index) const override {
    require(index >= 0 && index < size(), "{} has rows 0 to {}, not {}", name_, size() - 1, index);
    const std::byte* record = records_.data() + static_cast<size_t>(index) * record_;
    Row row{Tensor(DType::kU8, {kSide, kSide, 3}), label(record)};
    const std::byte* planes = record + format_.label_bytes;
    std::byte* to = row.data.mutable_bytes().data();
    for (size_t pixel = 0; pixel < kPlane; ++pixel)
      for (size_t c = 0; c < 3; ++c) *to++ = planes[c * kPlane + pixel];
    return row;
  }

 private:
  int32_t label(const std::byte* record) const {
    return std::to_integer<int32_t>(record[format_.label_at]);
  }
  void check_labels(const Bytes& records, const fs::path& path) const {
    const auto classes = std::ssize(format_.class_names);
    for (size_t at = 0; at < records.size(); at += record_)
      require_valid(label(&records[at]) < classes, "{}: byte {} is label {}, {} has {} classes",
                    path.string(), at + format_.label_at, label(&records[at]), format_.source,
                    classes);
  }

  std::string name_;
  CifarFormat format_;
  size_t record_;
  Bytes records_;
};

constexpr std::string_view kTest = "test";
constexpr std::string_view kTrain = "train";

std::optional<fs::path> find_file(const fs::path& folder, std::string_view name) {
  for (const std::string_view suffix : {"", ".gz"}) {
    fs::path path = folder / fmt::format("{}{}", name, suffix);
    if (local_file_system().exists(path)) return path;
  }
  return std::nullopt;
}

/// The files of one part in `folder`, in the order of their numbers; none may lack.
std::vector<fs::path> find_part(const fs::path& folder, std::string_view pattern) {
  std::vector<fs::path> files;
  const bool numbered = pattern.find("{}") != std::string_view::npos;
  constexpr int kMostFiles = 5;
  int missing = 0;
  for (int number = 1; number <= (numbered ? kMostFiles : 1); ++number) {
    const std::string name = fmt::format(fmt::runtime(pattern), number);
    if (const auto file = find_file(folder, name)) {
      if (missing > 0)
        fail(ErrorCode::kNotFound, "{} holds {} but no {}[.gz]", folder.string(), name,
             fmt::format(fmt::runtime(pattern), missing));
      files.push_back(*file);
    } else if (missing == 0) {
      missing = number;
    }
  }
  return files;
}

}  // namespace

std::shared_ptr<const RowSource> open_cifar(std::string_view place, const CifarFormat& format,
                                            std::string name) {
  require(!trim(place).empty(), "{} needs a folder: {}:DIR", format.source, format.source);
  fs::path folder(place);
  if (!folder.has_filename()) folder = folder.parent_path();
  const bool named_train = folder.filename() == kTrain;
  const bool named_test = folder.filename() == kTest;
  std::vector<fs::path> folders{folder, folder / format.folder};
  if (named_train || named_test)
    folders.insert(folders.end(), {folder.parent_path(), folder.parent_path() / format.folder});
  else
    folders.insert(folders.end(), {folder / kTest, folder / kTrain});
  for (const std::string_view pattern : {format.test, format.train}) {
    if (pattern == (named_train ? format.test : named_test ? format.train : "")) continue;
    for (const fs::path& where : folders)
      if (const auto files = find_part(where, pattern); !files.empty())
        return std::make_shared<Cifar>(std::move(name), format, files);
  }
  std::vector<std::string> looked_for;
  for (const fs::path& where : folders) looked_for.push_back(where.string());
  const std::string wanted = named_train  ? fmt::format(fmt::runtime(format.train), 1)
                             : named_test ? std::string(format.test)
                                          : fmt::format("{} or {}", format.test,
                                                        fmt::format(fmt::runtime(format.train), 1));
  fail(ErrorCode::kNotFound, "no {}[.gz] of {}'s binary version there; looked into {}", wanted,
       format.source, join(looked_for, ", "));
}

}  // namespace tessera::internal
