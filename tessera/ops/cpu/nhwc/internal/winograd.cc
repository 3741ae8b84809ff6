#include "tessera/ops/cpu/nhwc/internal/winograd.h"

#include <algorithm>
#include <vector>

#include "tessera/ops/cpu/internal/parallel.h"
#include "tessera/ops/cpu/nhwc/internal/scratch.h"

namespace tessera::internal {
namespace {

constexpr int64_t kMostPoints = winograd_points(4);

/// A patch of pixels on its way to its points.
struct PatchIn {
  const float* pixels[kMostPoints];  // of 6x6 or 4x4
  int64_t channels = 0;
  float* points = nullptr;  // [point][patch][channel]
  int64_t point_pitch = 0;
};

/// A patch of products on its way to its results.
struct PatchOut {
  const float* points = nullptr;
  int64_t point_pitch = 0;
  int64_t channels = 0;
  int64_t height = 0, width = 0;  // results that are inside
  float* out = nullptr;           // the first one
  int64_t out_pitch = 0;
  int64_t row_pixels = 0;  // from row to row
  TileEnd end;             // bias and residual: of the first result
};

}  // namespace

#define TESSERA_SIMD_BODY "tessera/ops/cpu/nhwc/internal/winograd_body.inc"
#include "tessera/ops/cpu/internal/each_simd.inc"

namespace {

void patch_in(const WinogradConv& conv, const PatchIn& patch) {
#if defined(__x86_64__)
  if (conv.patch == 2) {
    (conv.simd == Simd::kAvx512 ? avx512::patch_in<4> : avx2::patch_in<4>)(patch);
  } else {
    (conv.simd == Simd::kAvx512 ? avx512::patch_in<6> : avx2::patch_in<6>)(patch);
  }
#endif
}

void patch_out(const WinogradConv& conv, const PatchOut& patch) {
#if defined(__x86_64__)
  if (conv.patch == 2) {
    (conv.simd == Simd::kAvx512 ? avx512::patch_out<2> : avx2::patch_out<2>)(patch);
  } else {
    (conv.simd == Simd::kAvx512 ? avx512::patch_out<4> : avx2::patch_out<4>)(patch);
  }
#endif
}

/// A point's patches do not begin a multiple of 4 KiB apart, where they would share cache sets.
int64_t pitch_of(int64_t floats) {
  return floats + 16;
}

int64_t whole_vectors(int64_t channels) {
  return (channels + 15) / 16 * 16;
}

struct Place {
  int64_t image, y, x;  // of the first result
};

Place place_of(const WinogradConv& conv, int64_t patch) {
  const int64_t per_image = conv.patch_rows() * conv.patch_columns();
  const int64_t in_image = patch % per_image;
  return {patch / per_image, in_image / conv.patch_columns() * conv.patch,
          in_image % conv.patch_columns() * conv.patch};
}

struct Work {
  const WinogradConv& conv;
  const Panels& panels;
  const float* in;
  const float* packed;  // null: raw is given
  RawWeights raw;
  float* out;
};

/// Patches that go through the transforms together: their points stay in the second cache.
struct Block {
  int64_t begin = 0;  // patches
  int64_t count = 0;
  int64_t capacity = 0;
  int64_t in_row = 0;            // floats of a patch at a point
  const float* zeros = nullptr;  // for pixels outside the image
  float* points = nullptr;
  float* products = nullptr;  // of one panel

  int64_t point_pitch() const { return pitch_of(capacity * in_row); }
};

void transform_block(const Work& work, const Block& block, int64_t begin, int64_t end) {
  const WinogradConv& conv = work.conv;
  const int64_t pixels = conv.patch + 2;
  PatchIn patch;
  patch.channels = conv.in_channels;
  patch.point_pitch = block.point_pitch();
  for (int64_t i = begin; i < end; ++i) {
    const Place place = place_of(conv, block.begin + i);
    const float* image = work.in + place.image * conv.in_height * conv.in_width * conv.in_pitch;
    for (int64_t y = 0; y < pixels; ++y) {
      const int64_t row = place.y + y - conv.pad_top;
      for (int64_t x = 0; x < pixels; ++x) {
        const int64_t column = place.x + x - conv.pad_left;
        const bool inside =
            row >= 0 && row < conv.in_height && column >= 0 && column < conv.in_width;
        patch.pixels[y * pixels + x] =
            inside ? image + (row * conv.in_width + column) * conv.in_pitch : block.zeros;
      }
    }
    patch.points = block.points + i * block.in_row;
    patch_in(conv, patch);
  }
}

WinogradFilters filters_of(const WinogradConv& conv) {
  return {conv.in_channels, conv.patch};
}

/// A panel that a thread multiplies by, and the one after it, as far as is known.
struct Turn {
  size_t panel = 0;
  size_t next = 0;
  WinogradPanel weights;  // of the panel
};

struct Coming {
  const LooseFloat* from;
  int64_t floats;
};

/// What is fetched while a panel is multiplied at a point: its weights at the next one. At the last
/// point those of the next panel at the first; where weights are not packed yet a share of the next
/// panel at every point, as it is stored.
Coming coming(const Work& work, const Turn& turn, int64_t point) {
  const Panels& panels = work.panels;
  const int64_t inner = work.conv.in_channels;
  const int64_t points = work.conv.points();
  if (work.packed == nullptr) {
    const LooseFloat* filters = work.raw.weights + panels[turn.next].begin * inner * 9;
    const int64_t share = panels[turn.next].columns * inner * 9 / points;
    return {filters + point * share, share};
  }
  if (point + 1 < points) {
    return {turn.weights.weights + (point + 1) * turn.weights.point_pitch,
            panels.width_of(turn.panel) * inner};
  }
  return {winograd_panel(panels, turn.next, filters_of(work.conv), work.packed).weights,
          panels.width_of(turn.next) * inner};
}

/// The products of one panel of output channels at all points: [point][patch][channel of panel].
void multiply_panel(const Work& work, const Turn& turn, const Block& block) {
  const WinogradConv& conv = work.conv;
  const Panels::Panel& panel = work.panels[turn.panel];
  const int64_t width = panel.vectors * lanes(conv.simd);
  const int64_t most_rows = work.panels.most_rows(turn.panel);
  const int64_t tiles = (block.count + most_rows - 1) / most_rows;
  const float* rows[kMostTileRows];
  Tile tile;
  tile.rows = rows;
  tile.inner = conv.in_channels;
  tile.out_pitch = width;
  tile.columns = width;
  for (int64_t point = 0; point < conv.points(); ++point) {
    tile.weights = turn.weights.weights + point * turn.weights.point_pitch;
    const float* from = block.points + point * block.point_pitch();
    float* to = block.products + point * pitch_of(block.capacity * width);
    const Coming ahead = coming(work, turn, point);
    for (int64_t t = 0; t < tiles; ++t) {
      tile.ahead =
          fetch_part(ahead.from, ahead.floats * int64_t{sizeof(float)}, t, tiles, tile.inner);
      const int64_t first = block.count * t / tiles;
      const int64_t count = block.count * (t + 1) / tiles - first;
      for (int64_t r = 0; r < count; ++r) rows[r] = from + (first + r) * block.in_row;
      tile.out = to + first * width;
      tile_kernel(conv.simd, count, panel.vectors)(tile);
    }
  }
}

void finish_panel(const Work& work, size_t p, const Block& block) {
  const WinogradConv& conv = work.conv;
  const Panels::Panel& panel = work.panels[p];
  const int64_t width = panel.vectors * lanes(conv.simd);
  PatchOut patch;
  patch.point_pitch = pitch_of(block.capacity * width);
  patch.channels = panel.columns;
  patch.out_pitch = conv.out_pitch;
  patch.row_pixels = conv.out_width;
  patch.end = conv.end;
  if (conv.end.bias != nullptr) patch.end.bias += panel.begin;
  for (int64_t i = 0; i < block.count; ++i) {
    const Place place = place_of(conv, block.begin + i);
    const int64_t pixel = (place.image * conv.out_height + place.y) * conv.out_width + place.x;
    patch.points = block.products + i * width;
    patch.height = std::min(conv.patch, conv.out_height - place.y);
    patch.width = std::min(conv.patch, conv.out_width - place.x);
    patch.out = work.out + pixel * conv.out_pitch + panel.begin;
    if (conv.end.residual != nullptr) {
      patch.end.residual = conv.end.residual + pixel * conv.end.residual_pitch + panel.begin;
    }
    patch_out(conv, patch);
  }
}

int64_t widest(const Panels& panels, Simd simd) {
  int most = 0;
  for (size_t p = 0; p < panels.size(); ++p) most = std::max(most, panels[p].vectors);
  return most * lanes(simd);
}

/// So many patches that their points and one panel's products take five eighths of the second
/// cache.
int64_t block_capacity(const WinogradConv& conv, const Panels& panels, int64_t patches) {
  const int64_t row = whole_vectors(conv.in_channels) + widest(panels, conv.simd);
  const int64_t fitting = second_cache() * 5 / 8 / (conv.points() * row * int64_t{sizeof(float)});
  const int64_t wanted = std::clamp<int64_t>(fitting / 12 * 12, 24, 96);
  const int64_t blocks = (patches + wanted - 1) / wanted;
  return (patches + blocks - 1) / blocks;
}

int64_t points_size(const WinogradConv& conv, int64_t capacity) {
  return conv.points() * pitch_of(capacity * whole_vectors(conv.in_channels));
}

int64_t products_size(const WinogradConv& conv, const Panels& panels, int64_t capacity) {
  return conv.points() * pitch_of(capacity * widest(panels, conv.simd));
}

/// Panel `p`; where weights are not packed yet it is packed now, to `memory`.
WinogradPanel weights_of(const Work& work, size_t p, float* memory) {
  const WinogradFilters filters = filters_of(work.conv);
  if (work.packed != nullptr) return winograd_panel(work.panels, p, filters, work.packed);
  return pack_winograd_panel(work.panels, p, filters, work.raw, memory);
}

void run_patches(const Work& work, int64_t begin, int64_t end) {
  const WinogradConv& conv = work.conv;
  const int64_t capacity = block_capacity(conv, work.panels, end - begin);
  const int64_t zeros = whole_vectors(conv.in_channels);
  float* memory =
      scratch(points_size(conv, capacity) + products_size(conv, work.panels, capacity) + zeros);
  std::fill_n(memory, zeros, 0.0F);
  Block block{begin, 0, capacity, whole_vectors(conv.in_channels), memory, memory + zeros};
  block.products = block.points + points_size(conv, capacity);
  for (; block.begin < end; block.begin += capacity) {
    block.count = std::min(capacity, end - block.begin);
    transform_block(work, block, 0, block.count);
    for (size_t p = 0; p < work.panels.size(); ++p) {
      const size_t next = p + 1 < work.panels.size() ? p + 1 : 0;
      multiply_panel(work, {p, next, weights_of(work, p, nullptr)}, block);
      finish_panel(work, p, block);
    }
  }
}

/// What a thread has for the panels that it takes.
struct PanelMemory {
  float* products = nullptr;
  float* weights = nullptr;  // of a panel that is packed when it is wanted
};

int64_t panel_memory_size(const Work& work, int64_t patches) {
  const int64_t products = products_size(work.conv, work.panels, patches);
  if (work.packed != nullptr) return products;
  return products + winograd_panel_size(work.panels, filters_of(work.conv));
}

/// Threads share the patches' points and take panels apart, so that each reads its own part of the
/// weights only: where patches are few, and where a panel is packed for all of them. Patches are
/// cut too where panels are few, `cuts` times.
void run_by_panels(const Work& work, int64_t cuts) {
  const WinogradConv& conv = work.conv;
  const int64_t patches = conv.patches();
  const int64_t zeros = whole_vectors(conv.in_channels);
  const int64_t shared = zeros + points_size(conv, patches);
  float* memory = scratch(shared + panel_memory_size(work, patches));
  std::fill_n(memory, zeros, 0.0F);
  const Block block{0, patches, patches, whole_vectors(conv.in_channels), memory, memory + zeros};
  parallel_ranges(patches, conv.threads,
                  [&](int64_t begin, int64_t end) { transform_block(work, block, begin, end); });
  const auto caller = &scratch_owner();
  const auto count = static_cast<int64_t>(work.panels.size());
  parallel_parts(count * cuts, count * cuts, conv.threads, [&](int64_t begin, int64_t end) {
    PanelMemory own;
    own.products =
        &scratch_owner() == caller ? memory + shared : scratch(panel_memory_size(work, patches));
    own.weights = own.products + products_size(conv, work.panels, patches);
    for (int64_t i = begin; i < end; ++i) {
      const auto panel = static_cast<size_t>(i / cuts);
      Block part = block;
      part.begin = patches * (i % cuts) / cuts;
      part.count = patches * (i % cuts + 1) / cuts - part.begin;
      part.points += part.begin * part.in_row;
      part.products = own.products;
      if (part.count == 0) continue;
      const auto next = static_cast<size_t>(std::min(i + 1, count * cuts - 1) / cuts);
      multiply_panel(work, {panel, next, weights_of(work, panel, own.weights)}, part);
      finish_panel(work, panel, part);
    }
  });
}

}  // namespace

void run_winograd(const WinogradConv& conv, const Panels& panels, const float* in,
                  const float* packed, float* out) {
  const Work work{conv, panels, in, packed, {}, out};
  constexpr int64_t kFewPatches = 16 * kPartsPerThread;  // for each thread
  if (conv.threads > 1 && conv.patches() < kFewPatches * conv.threads) {
    const auto count = static_cast<int64_t>(panels.size());
    return run_by_panels(work, (2 * conv.threads + count - 1) / count);
  }
  parallel_parts(conv.patches(), kPartsPerThread * conv.threads, conv.threads,
                 [&](int64_t begin, int64_t end) { run_patches(work, begin, end); });
}

void run_winograd(const WinogradConv& conv, const Panels& panels, const float* in,
                  const RawWeights& raw, float* out) {
  run_by_panels({conv, panels, in, nullptr, raw, out}, 1);
}

int64_t winograd_scratch(const WinogradConv& conv, const Panels& panels) {
  const int64_t capacity = block_capacity(conv, panels, conv.patches());
  return (points_size(conv, capacity) + products_size(conv, panels, capacity)) *
         int64_t{sizeof(float)};
}

}  // namespace tessera::internal
