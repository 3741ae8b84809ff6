#include "tessera/data/internal/gzip.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <vector>

#include "tessera/base/error.h"

namespace tessera::internal {
namespace {

constexpr uint64_t kInputBlock = uint64_t{1} << 18;
constexpr uint64_t kMaxExpansion = 1032;  // of deflate: 258 bytes from two bits

}  // namespace

struct ContentReader::State {
  std::unique_ptr<RandomAccessFile> file;
  uint64_t at = 0;        // in the file
  uint64_t produced = 0;  // bytes of content so far
  bool packed = false;
  bool ended = false;  // the last packed stream
  z_stream stream{};
  std::vector<std::byte> input;

  void refill() {
    input.resize(std::min(kInputBlock, file->size() - at));
    file->read(at, input);
    at += input.size();
    stream.next_in = reinterpret_cast<Bytef*>(input.data());
    stream.avail_in = static_cast<uInt>(input.size());
  }

  /// At the end of a packed stream: makes ready for the one after it, or says that there is none.
  /// A file may hold several, as `cat a.gz b.gz` makes them; their contents follow each other.
  bool next_stream() {
    if (stream.avail_in == 0 && at < file->size()) refill();
    constexpr Bytef kFirstByte = 0x1F;
    if (stream.avail_in == 0 || *stream.next_in != kFirstByte) return false;
    if (inflateReset(&stream) != Z_OK) fail(ErrorCode::kInternal, "zlib does not start again");
    return true;
  }

  /// Unpacks into `out` and returns how many bytes that gave: fewer only at the end.
  size_t unpack(std::span<std::byte> out) {
    size_t done = 0;
    while (done < out.size() && !ended) {
      if (stream.avail_in == 0) {
        require_valid(at < file->size(), "the gzip stream of {} is cut after {} bytes",
                      file->name(), at);
        refill();
      }
      const size_t room = std::min<size_t>(out.size() - done, size_t{1} << 30);
      stream.next_out = reinterpret_cast<Bytef*>(out.data() + done);
      stream.avail_out = static_cast<uInt>(room);
      const int status = inflate(&stream, Z_NO_FLUSH);
      done += room - stream.avail_out;
      ended = status == Z_STREAM_END && !next_stream();
      require_valid(status == Z_STREAM_END || status == Z_OK || status == Z_BUF_ERROR,
                    "the gzip stream of {} is damaged before byte {}: {}", file->name(),
                    at - stream.avail_in, stream.msg != nullptr ? stream.msg : "zlib error");
    }
    return done;
  }
};

ContentReader::ContentReader(const std::filesystem::path& path)
    : state_(std::make_unique<State>()) {
  state_->file = local_file_system().open(path);
  std::array<std::byte, 2> magic{};
  if (state_->file->size() < magic.size()) return;
  state_->file->read(0, magic);
  state_->packed = magic[0] == std::byte{0x1F} && magic[1] == std::byte{0x8B};
  if (state_->packed && inflateInit2(&state_->stream, 16 + MAX_WBITS) != Z_OK)
    fail(ErrorCode::kInternal, "zlib does not start");
}

ContentReader::~ContentReader() {
  if (state_->packed) inflateEnd(&state_->stream);
}

uint64_t ContentReader::size_limit() const {
  const uint64_t size = state_->file->size();
  return state_->packed ? size * std::min(kMaxExpansion, UINT64_MAX / std::max(size, uint64_t{1}))
                        : size;
}

bool ContentReader::is_packed() const {
  return state_->packed;
}

size_t ContentReader::read_some(std::span<std::byte> out) {
  State& state = *state_;
  size_t got = 0;
  if (state.packed) {
    got = state.unpack(out);
  } else {
    got = std::min<uint64_t>(out.size(), state.file->size() - state.at);
    state.file->read(state.at, out.first(got));
    state.at += got;
  }
  state.produced += got;
  return got;
}

void ContentReader::read(std::span<std::byte> out) {
  const size_t got = read_some(out);
  require_valid(got == out.size(), "{} ends after {} bytes, {} are needed", state_->file->name(),
                state_->produced, state_->produced - got + out.size());
}

void ContentReader::finish() {
  State& state = *state_;
  std::array<std::byte, 1> more{};
  const bool ended = (!state.packed || (state.unpack(more) == 0 && state.stream.avail_in == 0)) &&
                     state.at == state.file->size();
  require_valid(ended, "{} goes on after the {} bytes that it should have", state.file->name(),
                state.produced);
}

}  // namespace tessera::internal
