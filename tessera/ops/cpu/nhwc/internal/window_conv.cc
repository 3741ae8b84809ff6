#include "tessera/ops/cpu/nhwc/internal/window_conv.h"

#include <algorithm>
#include <vector>

#include "tessera/ops/cpu/internal/parallel.h"
#include "tessera/ops/cpu/nhwc/internal/scratch.h"
#include "tessera/ops/cpu/nhwc/internal/window_weights.h"

namespace tessera::internal {
namespace {

constexpr int64_t kLine = 64;  // bytes of a cache line

/// A part of the work: pixels [begin, end) of all images by panels [first, last).
struct Part {
  int64_t begin, end;
  size_t first, last;
  size_t next;  // the panel whose weights this thread reads after these, as far as is known
};

/// Images as a part reads them: as given, or the rows it needs as a padded copy.
struct Source {
  const float* pixels = nullptr;  // row 0 of image 0, wherever the copy begins
  int64_t pitch = 0;
  int64_t row_pitch = 0;
  int64_t image_pitch = 0;
  bool is_padded = false;
  bool is_run = false;  // result pixel i is computed from pixel i alone
  const float* zeros = nullptr;
};

/// Weights that are packed, or, where `packed` is null, those to be packed.
struct Weights {
  const float* packed = nullptr;
  RawWeights raw = {};
};

class PartRunner {
 public:
  PartRunner(const WindowConv& conv, const Panels& panels, const Weights& weights, float* out)
      : conv_(conv),
        panels_(panels),
        packed_(weights.packed),
        raw_(weights.raw),
        out_(out),
        taps_(conv.copies_rows() ? conv.window.y.kernel : conv.taps()),
        inner_(conv.in_channels * (conv.copies_rows() ? conv.window.x.kernel : 1)) {
    for (size_t p = 0; p < panels.size(); ++p) tiles_.push_back(tile_of(p));
  }

  /// Where all weights stay in the second cache, tile after tile; else panel after panel, in blocks
  /// of pixels that stay there, and of a panel no more weights at a time than leave room for
  /// others.
  void run(const Source& source, const Part& part) {
    if (packed_ == nullptr) return run_raw(source, part);
    const int64_t weight_bytes = panels_.width() * taps_ * inner_ * int64_t{sizeof(float)};
    if (weight_bytes <= second_cache() / 3) return run_tiles(source, part);
    const int64_t blocks = block_count(part);
    for (int64_t b = 0; b < blocks; ++b) {
      const Block block = aim_block(source, part, b, blocks);
      for (size_t p = part.first; p < part.last; ++p) {
        const size_t first = b + 1 < blocks ? part.first : part.next;
        run_panel(p, weights_of(p), p + 1 < part.last ? p + 1 : first, block);
      }
    }
  }

 private:
  /// All panels of a tile before the next tile, whose pixels are fetched meanwhile.
  void run_tiles(const Source& source, const Part& part) {
    const int64_t rows = panels_.most_rows();
    const int64_t pixels = part.end - part.begin;
    const int64_t tiles = (pixels + rows - 1) / rows;
    const auto panel_count = static_cast<int64_t>(part.last - part.first);
    for (int64_t t = 0; t < tiles; ++t) {
      const int64_t first = part.begin + pixels * t / tiles;
      const int64_t count = part.begin + pixels * (t + 1) / tiles - first;
      aim(source, first, count);
      Ahead ahead = nothing_ahead();
      const int64_t after = first + count;
      if (after < part.end) ahead = next_tile(source, after, count, panel_count);
      for (size_t p = part.first; p < part.last; ++p) {
        Tile& tile = tiles_[p];
        place(tile, p, first);
        tile.rows = pointers_.data();
        tile.row_pitch = count;
        tile.ahead = ahead;
        kernel(count, p)(tile);
        ahead.first += panel_lines_[0] * ahead.first_step;
        ahead.second += panel_lines_[1] * ahead.second_step;
      }
    }
  }

  /// Pixels that the tile after this one reads and the residual, or what it writes: a part of it
  /// for each of the panels.
  Ahead next_tile(const Source& source, int64_t after, int64_t count, int64_t panel_count) {
    const auto lines = [&](int64_t floats) {
      const int64_t all = (floats * int64_t{sizeof(float)} + kLine - 1) / kLine;
      return (all + panel_count - 1) / panel_count;
    };
    Ahead ahead = nothing_ahead();
    if (source.is_run) {
      ahead.first = reinterpret_cast<const char*>(source.pixels + after * conv_.in_pitch);
      ahead.first_step = kLine;
      panel_lines_[0] = lines(count * conv_.in_pitch);
    }
    if (conv_.end.residual != nullptr || conv_.out_pitch == conv_.out_channels) {
      const float* next = conv_.end.residual == nullptr
                              ? out_ + after * conv_.out_pitch
                              : conv_.end.residual + after * conv_.end.residual_pitch;
      ahead.second = reinterpret_cast<const char*>(next);
      ahead.second_step = kLine;
      panel_lines_[1] = lines(count * conv_.out_channels);
    }
    return ahead;
  }

  struct Block {
    int64_t begin, end;  // pixels
  };

  /// Into how many blocks of pixels, which stay in the second cache, a part is cut.
  int64_t block_count(const Part& part) const {
    const Window& window = conv_.window;
    const int64_t touched =
        conv_.in_channels * window.y.stride * window.x.stride + conv_.out_channels;
    const int64_t fitting = second_cache() / 3 / (touched * int64_t{sizeof(float)});
    const int64_t wanted = std::clamp<int64_t>(fitting, 48, 4096);
    return (part.end - part.begin + wanted - 1) / wanted;
  }

  Block aim_block(const Source& source, const Part& part, int64_t b, int64_t blocks) {
    const int64_t pixels = part.end - part.begin;
    const Block block{part.begin + pixels * b / blocks, part.begin + pixels * (b + 1) / blocks};
    aim(source, block.begin, block.end - block.begin);
    return block;
  }

  /// Each panel is packed once, to where it stays while its pixels go by.
  void run_raw(const Source& source, const Part& part) {
    const int64_t blocks = block_count(part);
    for (size_t p = part.first; p < part.last; ++p) {
      float* packed = scratch(panels_.width_of(p) * taps_ * inner_);
      pack_panel(panels_, p, {conv_.in_channels, conv_.taps()}, raw_, packed);
      for (int64_t b = 0; b < blocks; ++b) {
        const Block block = aim_block(source, part, b, blocks);
        run_panel(p, packed, p + 1 < part.last ? p + 1 : part.next, block);
      }
    }
  }

  /// Taps of a window and floats of each whose weights, of one panel, are a small part of the
  /// second cache. Smaller ones would cost more in beginning and ending tiles than nearer weights
  /// gain.
  struct Chunk {
    int64_t tap, taps;
    int64_t first, inner;

    int64_t steps() const { return taps * inner; }
  };

  /// The chunk that begins at a tap and a float of it.
  Chunk chunk_at(size_t p, int64_t tap, int64_t first) const {
    const int64_t step_bytes = panels_.width_of(p) * int64_t{sizeof(float)};
    const int64_t fitting = std::max<int64_t>(second_cache() / 12 / step_bytes, 16);
    if (fitting >= inner_) return {tap, std::min(taps_ - tap, fitting / inner_), 0, inner_};
    const int64_t count = (inner_ + fitting - 1) / fitting;
    const int64_t even = ((inner_ + count - 1) / count + 3) / 4 * 4;
    return {tap, 1, first, std::min(even, inner_ - first)};
  }

  struct Coming {
    const LooseFloat* from;
    int64_t floats;
  };

  /// What is fetched while a chunk is multiplied: the one after it, of panel `next` behind the last
  /// one; of weights that are not packed yet as many of panel `next`.
  Coming coming(const Tile& tile, const Chunk& chunk, const Chunk& after, size_t p,
                size_t next) const {
    if (packed_ == nullptr) {
      const int64_t before = chunk.tap * inner_ + chunk.first;  // steps
      const LooseFloat* filters = raw_.weights + panels_[next].begin * taps_ * inner_;
      return {filters + before * panels_[next].columns, chunk.steps() * panels_[next].columns};
    }
    const bool is_last = after.tap == 0 && after.first == 0;
    return {is_last ? weights_of(next) : tile.weights + chunk.steps() * panels_.width_of(p),
            after.steps() * panels_.width_of(is_last ? next : p)};
  }

  /// One panel of the pixels that are aimed at.
  void run_panel(size_t p, const float* weights, size_t next, const Block& block) {
    const int64_t width = panels_.width_of(p);
    const int64_t pixels = block.end - block.begin;
    const int64_t tiles = (pixels + panels_.most_rows(p) - 1) / panels_.most_rows(p);
    partial_.resize(static_cast<size_t>(pixels * width));
    Tile& tile = tiles_[p];
    tile.row_pitch = pixels;
    tile.weights = weights;
    tile.begins = true;
    tile.ends = false;
    for (Chunk chunk = chunk_at(p, 0, 0); !tile.ends;) {
      const bool ends_tap = chunk.first + chunk.inner == inner_;
      const int64_t tap = chunk.tap + (ends_tap ? chunk.taps : 0);
      tile.ends = tap == taps_;
      const Chunk after = tile.ends ? chunk_at(next, 0, 0)
                                    : chunk_at(p, tap, ends_tap ? 0 : chunk.first + chunk.inner);
      const auto [ahead, floats] = coming(tile, chunk, after, p, next);
      tile.taps = chunk.taps;
      tile.first = chunk.first;
      tile.inner = chunk.inner;
      for (int64_t t = 0; t < tiles; ++t) {
        const int64_t first = pixels * t / tiles;
        const int64_t count = pixels * (t + 1) / tiles - first;
        tile.rows = pointers_.data() + chunk.tap * tile.row_pitch + first;
        tile.partial = partial_.data() + first * width;
        tile.ahead = fetch_part(ahead, floats * int64_t{sizeof(float)}, t, tiles, chunk.steps());
        place(tile, p, block.begin + first);
        kernel(count, p)(tile);
      }
      tile.begins = false;
      tile.weights += chunk.steps() * width;
      chunk = after;
    }
  }

  const float* weights_of(size_t p) const {
    return packed_ + panels_.width_before(p) * taps_ * inner_;
  }

  TileKernel kernel(int64_t rows, size_t p) const {
    return conv_.pairs ? pair_tile_kernel(conv_.simd, rows, panels_[p].vectors)
                       : tile_kernel(conv_.simd, rows, panels_[p].vectors);
  }

  /// A tile of panel `p`, wherever it lies.
  Tile tile_of(size_t p) const {
    const Panels::Panel& panel = panels_[p];
    Tile tile;
    tile.taps = taps_;
    tile.inner = inner_;
    if (packed_ != nullptr) tile.weights = weights_of(p);
    tile.out_pitch = conv_.out_pitch;
    tile.columns = panel.columns;
    tile.end = conv_.end;
    if (conv_.end.bias != nullptr) tile.end.bias += panel.begin;
    tile.ahead = nothing_ahead();
    return tile;
  }

  /// Puts a tile of panel `p` at pixel `first`.
  void place(Tile& tile, size_t p, int64_t first) const {
    tile.out = out_ + first * conv_.out_pitch + panels_[p].begin;
    if (conv_.end.residual == nullptr) return;
    tile.end.residual = conv_.end.residual + first * conv_.end.residual_pitch + panels_[p].begin;
  }

  /// The same line again and again, which is at hand.
  Ahead nothing_ahead() const {
    const auto* line = reinterpret_cast<const char*>(tiles_.data());
    return {line, 0, line, 0};
  }

  /// Points at the taps of `count` pixels from `first` on.
  void aim(const Source& source, int64_t first, int64_t count) {
    pointers_.resize(static_cast<size_t>(taps_ * count));
    if (source.is_run) {
      const float* row = source.pixels + first * conv_.in_pitch;
      for (int64_t r = 0; r < count; ++r, row += conv_.in_pitch)
        pointers_[static_cast<size_t>(r)] = row;
      return;
    }
    const Window& window = conv_.window;
    const int64_t in_image = first % conv_.out_pixels();
    int64_t image = first / conv_.out_pixels();
    int64_t y = in_image / window.x.output;
    int64_t x = in_image % window.x.output;
    for (int64_t r = 0; r < count; ++r) {
      aim_row(source, {image, y, x}, count, pointers_.data() + r);
      if (++x < window.x.output) continue;
      x = 0;
      if (++y < window.y.output) continue;
      y = 0;
      ++image;
    }
  }

  struct Pixel {
    int64_t image, y, x;
  };

  void aim_row(const Source& source, const Pixel& pixel, int64_t count, const float** to) const {
    const WindowDim& dim_y = conv_.window.y;
    const WindowDim& dim_x = conv_.window.x;
    const int64_t top = source.is_padded ? pixel.y * dim_y.stride : dim_y.begin(pixel.y);
    const int64_t left = source.is_padded ? pixel.x * dim_x.stride : dim_x.begin(pixel.x);
    const float* corner = source.pixels + pixel.image * source.image_pitch +
                          top * source.row_pitch + left * source.pitch;
    if (source.is_padded) {
      for (int64_t p = 0; p < dim_y.kernel; ++p) {
        to[p * count] = corner + p * dim_y.dilation * source.row_pitch;
      }
      return;
    }
    for (int64_t p = 0; p < dim_y.kernel; ++p) {
      const int64_t row = top + p * dim_y.dilation;
      const bool row_inside = row >= 0 && row < dim_y.input;
      for (int64_t q = 0; q < dim_x.kernel; ++q) {
        const int64_t column = left + q * dim_x.dilation;
        const bool inside = row_inside && column >= 0 && column < dim_x.input;
        *to = inside ? corner + p * dim_y.dilation * source.row_pitch +
                           q * dim_x.dilation * source.pitch
                     : source.zeros;
        to += count;
      }
    }
  }

  const WindowConv& conv_;
  const Panels& panels_;
  const float* packed_;  // null: raw_ is given
  RawWeights raw_;
  float* out_;
  int64_t taps_;
  int64_t inner_;
  std::vector<const float*> pointers_;  // [tap][pixel], of a tile or a block
  std::vector<float> partial_;          // [pixel of a block][channel of a panel]
  std::vector<Tile> tiles_;             // one per panel
  int64_t panel_lines_[2] = {0, 0};     // that next_tile leaves to each panel
};

/// Rows [first, last) of an image, padded: channels last, zeros around.
void copy_padded(const WindowConv& conv, const float* image, int64_t first, int64_t last,
                 float* to) {
  const WindowDim& dim_y = conv.window.y;
  const WindowDim& dim_x = conv.window.x;
  const int64_t width = dim_x.pad_begin + dim_x.input + dim_x.pad_end;
  const int64_t row_floats = width * conv.in_channels;
  const int64_t plane = dim_y.input * dim_x.input;
  for (int64_t row = first; row < last; ++row, to += row_floats) {
    const int64_t y = row - dim_y.pad_begin;
    if (y < 0 || y >= dim_y.input) {
      std::fill_n(to, row_floats, 0.0F);
      continue;
    }
    float* inside = to + dim_x.pad_begin * conv.in_channels;
    std::fill(to, inside, 0.0F);
    std::fill(inside + dim_x.input * conv.in_channels, to + row_floats, 0.0F);
    for (int64_t c = 0; c < conv.in_channels; ++c) {
      const float* from = conv.in_is_plain ? image + c * plane + y * dim_x.input
                                           : image + y * dim_x.input * conv.in_pitch + c;
      const int64_t step = conv.in_is_plain ? 1 : conv.in_pitch;
      for (int64_t x = 0; x < dim_x.input; ++x) inside[x * conv.in_channels + c] = from[x * step];
    }
  }
}

/// Image by image: the rows that a part's pixels of it need are copied first.
void run_with_copies(const WindowConv& conv, PartRunner& runner, const float* in,
                     const Part& part) {
  const WindowDim& dim_y = conv.window.y;
  const WindowDim& dim_x = conv.window.x;
  const int64_t row_pitch = (dim_x.pad_begin + dim_x.input + dim_x.pad_end) * conv.in_channels;
  const int64_t image_floats =
      dim_y.input * dim_x.input * (conv.in_is_plain ? conv.in_channels : conv.in_pitch);
  for (int64_t begin = part.begin; begin < part.end;) {
    const int64_t image = begin / conv.out_pixels();
    const int64_t end = std::min(part.end, (image + 1) * conv.out_pixels());
    const int64_t y_begin = begin % conv.out_pixels() / dim_x.output;
    const int64_t y_last = (end - 1) % conv.out_pixels() / dim_x.output;
    const int64_t first = y_begin * dim_y.stride;
    const int64_t last = y_last * dim_y.stride + (dim_y.kernel - 1) * dim_y.dilation + 1;
    float* copy = scratch((last - first) * row_pitch);
    copy_padded(conv, in + image * image_floats, first, last, copy);
    Source source;
    source.is_padded = true;
    source.pitch = conv.in_channels;
    source.row_pitch = row_pitch;
    source.pixels = copy - first * row_pitch;
    runner.run(source, {begin, end, part.first, part.last, part.next});
    begin = end;
  }
}

}  // namespace

namespace {

void run_parts(const WindowConv& conv, const Panels& panels, const float* in,
               const Weights& weights, float* out) {
  const int64_t pixels = conv.images * conv.out_pixels();
  const auto count = static_cast<int64_t>(panels.size());
  const std::vector<float> zeros(static_cast<size_t>(conv.in_channels), 0.0F);
  Source source;
  source.pixels = in;
  source.pitch = conv.in_pitch;
  source.row_pitch = conv.window.x.input * conv.in_pitch;
  source.image_pitch = conv.window.y.input * source.row_pitch;
  source.zeros = zeros.data();
  source.is_run = conv.is_pointwise();
  const auto run = [&](const Part& part) {
    PartRunner runner(conv, panels, weights, out);
    if (conv.copies_rows()) {
      run_with_copies(conv, runner, in, part);
    } else {
      runner.run(source, part);
    }
  };
  // Threads share what is larger, the weights or the pixels.
  const int64_t weight_floats = window_weight_size(panels, conv.in_channels, conv.taps());
  const int64_t pixel_floats = conv.images * source.image_pitch;
  const bool by_panels = weights.packed == nullptr
                             ? count >= conv.threads
                             : count >= 2 * conv.threads && weight_floats > pixel_floats;
  if (conv.threads > 1 && by_panels) {
    parallel_parts(count, count, conv.threads, [&](int64_t first, int64_t last) {
      run({0, pixels, static_cast<size_t>(first), static_cast<size_t>(last),
           static_cast<size_t>(last < count ? last : first)});
    });
  } else {
    constexpr int64_t kLeastPixels = 24;  // two tiles and more: each part reads all weights
    parallel_halves(pixels, kLeastPixels, conv.threads, [&](int64_t begin, int64_t end) {
      run({begin, end, 0, panels.size(), 0});
    });
  }
}

}  // namespace

void run_window_conv(const WindowConv& conv, const Panels& panels, const float* in,
                     const float* packed, float* out) {
  run_parts(conv, panels, in, {.packed = packed}, out);
}

void run_window_conv(const WindowConv& conv, const Panels& panels, const float* in,
                     const RawWeights& raw, float* out) {
  run_parts(conv, panels, in, {.raw = raw}, out);
}

}  // namespace tessera::internal
