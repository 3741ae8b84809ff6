// Carries out a load plan. Work is cut into units that threads take one by one: scattered reads
// straight into the tensors' memory, and staged transfers where elements are converted or lie in
// many short runs.
#include <algorithm>
#include <cstring>
#include <map>
#include <mutex>

#include "tessera/base/error.h"
#include "tessera/base/parallel.h"
#include "tessera/base/shown.h"
#include "tessera/base/text.h"
#include "tessera/checkpoint/load_plan.h"
#include "tessera/checkpoint/round_to_bf16.h"
#include "tessera/io/page_fetcher.h"

namespace tessera {

void Sink::prepare(std::span<std::byte> /*part*/) {}

bool Sink::accept_view(size_t /*target*/, std::span<const std::byte> /*bytes*/,
                       const std::shared_ptr<const void>& /*owner*/) {
  return false;
}

namespace {

/// Bytes of a file that follow each other (with gaps) and go to memory as they are.
struct Scatter {
  struct Part {
    uint64_t offset;
    std::span<std::byte> memory;
  };
  int file;
  std::vector<Part> parts;
  uint64_t bytes = 0;

  uint64_t end() const { return parts.back().offset + parts.back().memory.size(); }
};

/// A mapped file, of which targets are views.
struct Mapped {
  std::span<const std::byte> bytes;  // empty: it cannot be mapped
  std::shared_ptr<PageFetcher> pages;
  std::vector<std::span<const std::byte>> viewed;
};

constexpr size_t kStep = size_t{256} << 10;

class Execution {
 public:
  Execution(const LoadPlan& plan, const Catalog& catalog, std::span<const Target> targets,
            const ByteSource& source, Sink& sink)
      : plan_(plan), catalog_(catalog), targets_(targets), source_(source), sink_(sink) {}

  void run() {
    for (const Read& read : plan_.reads)
      for (const size_t index : read.transfers) prepare(index);
    const int threads = thread_count(plan_.options.threads);
    for (auto& [file, mapped] : mappings_)
      if (threads > 1 && !mapped.viewed.empty()) mapped.pages->start(std::move(mapped.viewed));
    const size_t scatters = scatters_.size();
    parallel_for(scatters + staged_.size(), threads, [&](size_t i) {
      if (i < scatters) {
        read_scatter(scatters_[i]);
      } else {
        stage(plan_.transfers[staged_[i - scatters]]);
      }
    });
  }

 private:
  const Record& record_of(const Transfer& transfer) const {
    return catalog_.records[transfer.record];
  }
  const Piece& piece_of(const Transfer& transfer) const {
    return record_of(transfer).pieces[transfer.piece];
  }

  void prepare(size_t index) {
    const Transfer& transfer = plan_.transfers[index];
    const Piece& piece = piece_of(transfer);
    const Target& target = targets_[transfer.target];
    int runs = 0;
    int64_t from = 0, to = 0, count = 0;
    if (piece.encoding == Encoding::kRaw) {
      // Only whether there is one run matters: boxes of many runs are not walked to their end.
      Box two = transfer.box;
      for_each_run(box_of(record_of(transfer), piece), target.box, two,
                   [&](int64_t a, int64_t b, int64_t n) {
                     if (runs++ == 0) from = a, to = b, count = n;
                   });
    }
    if (runs != 1) {
      staged_.push_back(index);
      return;
    }
    const auto width = static_cast<uint64_t>(byte_size(target.dtype));
    const uint64_t offset = piece.bytes.offset + static_cast<uint64_t>(from) * width;
    const uint64_t bytes = static_cast<uint64_t>(count) * width;
    if (plan_.options.map && target.box == transfer.box &&
        view(transfer.target, piece.file, {offset, bytes}))
      return;
    append(piece.file, offset,
           sink_.memory(transfer.target).subspan(static_cast<size_t>(to) * width, bytes));
  }

  bool view(size_t target, int file, ByteRange range) {
    auto [known, is_new] = mappings_.try_emplace(file);
    Mapped& mapped = known->second;
    if (is_new) {
      const RandomAccessFile::Mapping mapping = source_.file(file).map();
      mapped.bytes = mapping.bytes;
      mapped.pages = std::make_shared<PageFetcher>(mapping.owner);
    }
    if (mapped.bytes.empty()) return false;
    require_valid(range.end() <= mapped.bytes.size(), "'{}' reaches beyond the mapped file",
                  shown_text(targets_[target].name));
    const std::span<const std::byte> bytes = mapped.bytes.subspan(range.offset, range.size);
    const auto alignment = static_cast<uintptr_t>(byte_size(targets_[target].dtype));
    const bool is_aligned = reinterpret_cast<uintptr_t>(bytes.data()) % alignment == 0;
    if (!is_aligned && !plan_.options.unaligned) return false;
    if (!sink_.accept_view(target, bytes, mapped.pages)) return false;
    mapped.viewed.push_back(bytes);
    return true;
  }

  void append(int file, uint64_t offset, std::span<std::byte> memory) {
    const uint64_t largest = plan_.options.largest_read;
    while (!memory.empty()) {
      const bool joins = !scatters_.empty() && scatters_.back().file == file &&
                         offset >= scatters_.back().end() &&
                         offset - scatters_.back().end() <= plan_.options.largest_gap &&
                         scatters_.back().bytes < largest;
      if (!joins) scatters_.push_back({file, {}, 0});
      Scatter& scatter = scatters_.back();
      const size_t count = std::min<uint64_t>(memory.size(), largest - scatter.bytes);
      scatter.parts.push_back({offset, memory.first(count)});
      scatter.bytes += count;
      offset += count;
      memory = memory.subspan(count);
    }
  }

  void read_scatter(const Scatter& scatter) const {
    std::vector<std::byte> dropped(plan_.options.largest_gap);
    std::vector<std::span<std::byte>> memory;
    memory.reserve(2 * scatter.parts.size());
    const RandomAccessFile& file = source_.file(scatter.file);
    uint64_t begin = scatter.parts[0].offset, at = begin;
    for (const Scatter::Part& part : scatter.parts) {
      if (part.offset > at) memory.push_back(std::span(dropped).first(part.offset - at));
      // Large parts go in steps, so that a page is still in the cache when it is written.
      for (size_t done = 0; done < part.memory.size(); done += kStep) {
        const auto step = part.memory.subspan(done, std::min(kStep, part.memory.size() - done));
        sink_.prepare(step);
        memory.push_back(step);
        at = part.offset + done + step.size();
        if (step.size() < kStep) continue;
        file.read_scattered(begin, memory);
        memory.clear();
        begin = at;
      }
    }
    if (!memory.empty()) file.read_scattered(begin, memory);
  }

  /// Copies a transfer through a buffer, in spans of the file of at most largest_read bytes.
  void stage(const Transfer& transfer) const {
    const Piece& piece = piece_of(transfer);
    const Target& target = targets_[transfer.target];
    const ErrorContext context([&] { return "loading " + printable(target.name); });
    const std::span<std::byte> memory = sink_.memory(transfer.target);
    const auto width = static_cast<size_t>(byte_size(target.dtype));
    const size_t stored = piece.encoding == Encoding::kBF16AsF32 ? 4 : width;
    std::vector<std::byte> buffer;
    uint64_t begin = 0;  // of the buffer, in the piece's bytes
    const Box held = box_of(record_of(transfer), piece);
    for_each_run(held, target.box, transfer.box, [&](int64_t a, int64_t b, int64_t n) {
      auto from = static_cast<uint64_t>(a) * stored;
      auto left = static_cast<size_t>(n);
      std::byte* to = memory.data() + static_cast<size_t>(b) * width;
      if (piece.encoding == Encoding::kZero) {
        std::memset(to, 0, left * width);
        return;
      }
      while (left > 0) {
        if (from < begin || from + stored > begin + buffer.size()) {
          const uint64_t most = std::max<uint64_t>(plan_.options.largest_read / stored, 1) * stored;
          begin = from;
          buffer.resize(std::min(most, extent_end(held, transfer.box, stored) - from));
          source_.file(piece.file).read(piece.bytes.offset + begin, buffer);
        }
        const size_t count = std::min<size_t>(left, (begin + buffer.size() - from) / stored);
        convert(piece.encoding, buffer.data() + (from - begin), to, count * stored);
        left -= count;
        from += count * stored;
        to += count * width;
      }
    });
  }

  /// The end of the last element of `box` in the bytes of a piece that holds `held`.
  static uint64_t extent_end(const Box& held, const Box& box, size_t stored) {
    int64_t last = 0;
    for (size_t d = 0; d < box.size.size(); ++d)
      last = last * held.size[d] + box.begin[d] - held.begin[d] + box.size[d] - 1;
    return (static_cast<uint64_t>(last) + 1) * stored;
  }

  static void convert(Encoding encoding, const std::byte* from, std::byte* to, size_t bytes) {
    if (encoding == Encoding::kRaw) {
      std::memcpy(to, from, bytes);
      return;
    }
    round_to_bf16(from, to, bytes / sizeof(float));
  }

  const LoadPlan& plan_;
  const Catalog& catalog_;
  std::span<const Target> targets_;
  const ByteSource& source_;
  Sink& sink_;
  std::vector<Scatter> scatters_;
  std::vector<size_t> staged_;  // transfers
  std::map<int, Mapped> mappings_;
};

/// Tensors that share one allocation, because the first touch of many small ones is slow.
class MemorySink : public Sink {
 public:
  MemorySink(std::span<const Target> targets, bool lazily) : targets_(targets) {
    tensors_.resize(targets.size());
    if (lazily) return;  // most will be views
    constexpr int64_t kAlignment = 64;
    std::vector<int64_t> offsets;
    int64_t end = 0;
    for (const Target& target : targets) {
      offsets.push_back(end);
      const int64_t bytes =
          checked_product(element_count(target.box.size), byte_size(target.dtype));
      require(!__builtin_add_overflow(end, bytes / kAlignment * kAlignment + kAlignment, &end),
              "the tensors have more than 2^63 bytes together");
    }
    arena_ = Buffer::allocate(end);
    for (size_t t = 0; t < targets.size(); ++t)
      tensors_[t] = Tensor::view(arena_, offsets[t], targets[t].dtype, targets[t].box.size);
  }

  std::span<std::byte> memory(size_t target) override {
    const std::scoped_lock lock(mutex_);
    return defined(target).mutable_bytes();
  }

  void prepare(std::span<std::byte> part) override {
    if (arena_ != nullptr) arena_->populate(part);
  }

  bool accept_view(size_t target, std::span<const std::byte> bytes,
                   const std::shared_ptr<const void>& owner) override {
    const std::scoped_lock lock(mutex_);
    tensors_[target] = Tensor::view(Buffer::read_only(bytes, owner), 0, targets_[target].dtype,
                                    targets_[target].box.size);
    return true;
  }

  std::vector<Tensor> take() {
    for (size_t t = 0; t < tensors_.size(); ++t) defined(t);  // those without elements
    return std::move(tensors_);
  }

 private:
  Tensor& defined(size_t target) {
    Tensor& tensor = tensors_[target];
    if (!tensor.is_defined()) tensor = Tensor(targets_[target].dtype, targets_[target].box.size);
    return tensor;
  }

  std::span<const Target> targets_;
  std::shared_ptr<Buffer> arena_;
  std::mutex mutex_;
  std::vector<Tensor> tensors_;
};

}  // namespace

void execute(const LoadPlan& plan, const Catalog& catalog, std::span<const Target> targets,
             const ByteSource& source, Sink& sink) {
  Execution(plan, catalog, targets, source, sink).run();
}

std::vector<Tensor> load_tensors(const Checkpoint& checkpoint, std::span<const Target> targets,
                                 const LoadOptions& options) {
  const ErrorContext context([&] {
    return fmt::format("loading {} tensors of {}", targets.size(), describe_files(checkpoint));
  });
  const LoadPlan plan = plan_load(checkpoint.catalog, targets, options);
  verify(plan, checkpoint.catalog, targets);
  MemorySink sink(targets, options.map);
  execute(plan, checkpoint.catalog, targets, *checkpoint.bytes, sink);
  return sink.take();
}

Tensor load_record(const Checkpoint& checkpoint, const Record& record, const LoadOptions& options) {
  require(record.kind != RecordKind::kMap, "'{}' is a map; load its parts one by one",
          shown_text(record.name));
  Checkpoint one;
  one.bytes = checkpoint.bytes;
  one.catalog.files = checkpoint.catalog.files;
  one.catalog.records = {record};
  one.catalog.records[0].kind = RecordKind::kTensor;
  const Target target{record.name, record.dtype, record.shape, whole(record.shape)};
  return load_tensors(one, {&target, 1}, options)[0];
}

}  // namespace tessera
