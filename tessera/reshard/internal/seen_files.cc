#include "tessera/reshard/internal/seen_files.h"

#include <algorithm>

#include "tessera/base/error.h"
#include "tessera/base/parallel.h"
#include "tessera/base/text.h"
#include "tessera/io/byte_reader.h"

namespace tessera::internal {

namespace fs = std::filesystem;

namespace {

/// What is looked at of each end of a file, so that another one of the same length is noticed.
constexpr uint64_t kSampleBytes = 4096;

template <typename T>
void put(std::string& to, T value) {
  to.append(reinterpret_cast<const char*>(&value), sizeof value);
}

Tensor as_tensor(std::string_view bytes) {
  return Tensor::of(std::span(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()),
                    {static_cast<int64_t>(bytes.size())});
}

/// Adds the ends of a file to what is known of a checkpoint.
void sample(const RandomAccessFile& file, uint64_t& bytes, Digest& digest) {
  const uint64_t size = file.size();
  std::string ends(std::min(size, 2 * kSampleBytes), '\0');
  const std::span<std::byte> memory = std::as_writable_bytes(std::span(ends));
  const uint64_t head = std::min(size, kSampleBytes);
  file.read(0, memory.first(head));
  file.read(size - (ends.size() - head), memory.subspan(head));
  bytes += size;
  digest += digest_bytes(ends + std::to_string(size));
}

}  // namespace

std::vector<std::string> gather_bytes(Communicator& world, std::string_view mine) {
  const auto ranks = static_cast<size_t>(world.size());
  std::vector<Tensor> sizes, all;
  for (size_t i = 0; i < ranks; ++i) sizes.emplace_back(DType::kI64, Shape{});
  world.all_gather(Tensor::scalar(static_cast<int64_t>(mine.size())), sizes);
  for (const Tensor& size : sizes) all.emplace_back(DType::kU8, Shape{size.data<int64_t>()[0]});
  world.all_gather(as_tensor(mine), all);
  std::vector<std::string> texts;
  for (const Tensor& bytes : all) {
    const std::span<const uint8_t> got = bytes.data<uint8_t>();
    texts.emplace_back(got.begin(), got.end());
  }
  return texts;
}

SeenFiles::SeenFiles(Communicator& world, std::span<const RankFile> files,
                     const OpenOptions& options, int threads)
    : options_(options), threads_(thread_count(threads)), rank_(world.rank()) {
  std::vector<Sight> sights;
  std::map<Rank, uint32_t> parts;
  for (const RankFile& file : files) {
    sights.push_back({file.rank, parts[file.rank]++});
    sights.back().path = file.path.string();
  }
  parallel_for(sights.size(), threads_, [&](size_t i) { look_at(sights[i]); });
  const std::vector<std::string> all = gather_bytes(world, encode(sights));
  std::vector<Sight> unseen;
  for (Rank from = 0; from < world.size(); ++from)
    for (Sight& sight : decode(all[static_cast<size_t>(from)], from))
      sight.is_seen ? add(std::move(sight), from) : unseen.push_back(std::move(sight));
  for (const Sight& sight : unseen)
    if (!numbers_.contains({sight.of, sight.part}))
      fail(ErrorCode::kNotFound, "the file of rank {} ({}) is there for none of the {} ranks",
           sight.of, printable(sight.path), world.size());
  require(!files_.empty(), "no source file is given on any of the {} ranks", world.size());
  std::sort(files_.begin(), files_.end(), [](const File& a, const File& b) { return a.of < b.of; });
  for (size_t f = 0; f < files_.size(); ++f) numbers_[files_[f].of] = f;
  for (const Sight& sight : sights)
    if (sight.is_seen) files_[numbers_.at({sight.of, sight.part})].path = sight.path;
  view_.machines.assign(world.machines().begin(), world.machines().end());
  choose_openers();
  exchange_headers(world);
}

void SeenFiles::look_at(Sight& sight) const {
  const ErrorContext context(
      [&] { return fmt::format("looking at the file of rank {}", sight.of); });
  const FileSystem& files = options_.file_system();
  const fs::path path = sight.path;
  const bool is_folder = files.is_folder(path);
  sight.is_seen = is_folder || files.exists(path);
  if (!sight.is_seen) return;
  if (!is_folder) return sample(*files.open(path), sight.bytes, sight.sample);
  for (const std::string& name : files.list(path)) {
    if (!name.ends_with(".ckpt") && !name.ends_with(".safetensors") && !name.ends_with(".json"))
      continue;
    sight.sample += digest_bytes(name);
    sample(*files.open(path / name), sight.bytes, sight.sample);
  }
}

std::string SeenFiles::encode(std::span<const Sight> sights) {
  std::string bytes;
  for (const Sight& sight : sights) {
    put(bytes, static_cast<int32_t>(sight.of));
    put(bytes, sight.part);
    put(bytes, static_cast<uint8_t>(sight.is_seen));
    put(bytes, sight.bytes);
    put(bytes, sight.sample.low);
    put(bytes, sight.sample.high);
    put(bytes, static_cast<uint32_t>(sight.path.size()));
    bytes += sight.path;
  }
  return bytes;
}

std::vector<SeenFiles::Sight> SeenFiles::decode(std::string_view bytes, Rank from) {
  const ErrorContext context([&] { return fmt::format("taking over what rank {} sees", from); });
  ByteReader reader(std::as_bytes(std::span(bytes)), "list of files");
  std::vector<Sight> sights;
  while (reader.remaining() > 0) {
    Sight& sight = sights.emplace_back();
    sight.of = reader.i32();
    require_valid(sight.of >= 0, "it lists a file of rank {}", sight.of);
    sight.part = reader.u32();
    sight.is_seen = reader.u8() != 0;
    sight.bytes = reader.u64();
    sight.sample.low = reader.u64();
    sight.sample.high = reader.u64();
    const std::span<const std::byte> path = reader.bytes(reader.u32());
    sight.path.assign(reinterpret_cast<const char*>(path.data()), path.size());
  }
  return sights;
}

void SeenFiles::add(Sight sight, Rank from) {
  const auto [number, is_new] = numbers_.try_emplace({sight.of, sight.part}, files_.size());
  if (is_new) {
    File& file = files_.emplace_back();
    file.of = {sight.of, sight.part};
    file.seers = {from};
    file.sight = std::move(sight);
    return;
  }
  File& known = files_[number->second];
  const Sight& first = known.sight;
  require_valid(known.seers.back() != from, "rank {} tells twice of a file of rank {}", from,
                sight.of);
  require_valid(first.bytes == sight.bytes && first.sample == sight.sample,
                "rank {} and rank {} see different files of rank {}: {} ({} bytes) and {} ({} "
                "bytes){}",
                known.seers[0], from, sight.of, printable(first.path), first.bytes,
                printable(sight.path), sight.bytes,
                first.bytes == sight.bytes ? ", which do not begin and end alike" : "");
  known.seers.push_back(from);
}

/// About equally many for each rank.
void SeenFiles::choose_openers() {
  std::vector<size_t> opens(view_.machines.size(), 0);
  for (File& file : files_) {
    file.opener = *std::min_element(file.seers.begin(), file.seers.end(), [&](Rank a, Rank b) {
      return opens[static_cast<size_t>(a)] < opens[static_cast<size_t>(b)];
    });
    ++opens[static_cast<size_t>(file.opener)];
  }
}

void SeenFiles::exchange_headers(Communicator& world) {
  std::vector<uint32_t> mine;
  for (uint32_t f = 0; f < files_.size(); ++f)
    if (files_[f].opener == rank_) mine.push_back(f);
  std::vector<std::string> headers(mine.size());
  parallel_for(mine.size(), threads_, [&](size_t i) {
    File& file = files_[mine[i]];
    const ErrorContext context(
        [&] { return fmt::format("opening the file of rank {}", file.of.first); });
    file.opened = open_checkpoint(file.path, options_);
    headers[i] = encode_headers(file.opened);
    file.opened.catalog = {};
  });
  std::string bytes;
  for (size_t i = 0; i < mine.size(); ++i) {
    put(bytes, mine[i]);
    put(bytes, static_cast<uint64_t>(headers[i].size()));
    bytes += headers[i];
    headers[i] = {};
  }
  std::vector<std::string> all = gather_bytes(world, bytes);
  for (Rank from = 0; from < world.size(); ++from) {
    take_headers(all[static_cast<size_t>(from)], from);
    all[static_cast<size_t>(from)] = {};
  }
  for (const File& file : files_)
    require_valid(file.described.bytes != nullptr, "rank {} has not told of the file of rank {}",
                  file.opener, file.of.first);
}

void SeenFiles::take_headers(std::string_view bytes, Rank from) {
  const ErrorContext context([&] { return fmt::format("taking over headers of rank {}", from); });
  ByteReader reader(std::as_bytes(std::span(bytes)), "list of headers");
  while (reader.remaining() > 0) {
    const uint32_t number = reader.u32();
    require_valid(number < files_.size() && files_[number].opener == from,
                  "it tells of file {}, which it has not opened", number);
    const std::span<const std::byte> headers = reader.bytes(reader.u64());
    File& file = files_[number];
    file.described = decode_headers({reinterpret_cast<const char*>(headers.data()), headers.size()},
                                    file.sight.path);
    file.headers = digest_headers(file.described);
  }
}

Source SeenFiles::make_source(const Strategy* strategy, const SourceOptions& options) {
  std::vector<RankFile> files;
  std::vector<Checkpoint> described, parts;
  for (size_t f = 0; f < files_.size(); ++f) {
    File& file = files_[f];
    file.first_file = view_.seers.size();
    file.file_count = file.described.catalog.files.size();
    view_.seers.insert(view_.seers.end(), file.file_count, file.seers);
    parts.push_back(std::move(file.described));
    const bool is_last = f + 1 == files_.size() || files_[f + 1].of.first != file.of.first;
    if (!is_last) continue;
    const ErrorContext context(
        [&] { return fmt::format("joining the files of rank {}", file.of.first); });
    files.push_back({file.of.first, file.sight.path});
    described.push_back(parts.size() == 1 ? std::move(parts[0])
                                          : join_checkpoints(std::move(parts)));
    parts.clear();
  }
  return source_of(files, std::move(described), strategy, options);
}

void SeenFiles::open_for_reading(Source& source, const std::vector<bool>& is_read) {
  const auto known = source.checkpoint.bytes->files();
  std::vector<std::shared_ptr<const RandomAccessFile>> bytes(known.begin(), known.end());
  parallel_for(files_.size(), threads_, [&](size_t f) {
    File& file = files_[f];
    const auto first = is_read.begin() + static_cast<std::ptrdiff_t>(file.first_file);
    if (std::none_of(first, first + static_cast<std::ptrdiff_t>(file.file_count),
                     [](bool read) { return read; }))
      return;
    const ErrorContext context(
        [&] { return fmt::format("opening the file of rank {}", file.of.first); });
    if (file.opened.bytes == nullptr) {
      OpenOptions options = options_;
      options.crc = CrcCheck::kNo;  // the rank that read the headers has compared it
      file.opened = open_checkpoint(file.path, options);
      require_valid(digest_headers(file.opened) == file.headers,
                    "{} has other headers than {}, which rank {} opened: they are different files, "
                    "or one of them was changed meanwhile",
                    printable(file.path.string()), printable(file.sight.path), file.opener);
      file.opened.catalog = {};
    }
    const auto opened = file.opened.bytes->files();
    std::copy(opened.begin(), opened.end(),
              bytes.begin() + static_cast<std::ptrdiff_t>(file.first_file));
  });
  source.checkpoint.bytes = std::make_shared<const ByteSource>(std::move(bytes));
}

}  // namespace tessera::internal
