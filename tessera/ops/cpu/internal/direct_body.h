// The loops of direct.h for one vector length. direct.cc includes this once per kind of processor,
// with TESSERA_LANES floats per vector, every function compiled for TESSERA_TARGET, in a namespace
// of its own. No lambdas here: they would not be compiled for the target.

using Vector = float __attribute__((vector_size(TESSERA_LANES * sizeof(float))));
using Unaligned =
    float __attribute__((vector_size(TESSERA_LANES * sizeof(float)), aligned(4), may_alias));

constexpr int64_t kLanes = TESSERA_LANES;
constexpr int kRowChannels = 6;
constexpr int64_t kVectorsOf16 = 16 / kLanes;
constexpr int kPixels = kLanes == 16 ? 10 : 6;  // accumulators: 10 of 32 registers, 12 of 16

TESSERA_TARGET inline void load(Vector& to, const float* from) {
  to = *reinterpret_cast<const Unaligned*>(from);
}

TESSERA_TARGET inline void store(float* to, const Vector& from) {
  *reinterpret_cast<Unaligned*>(to) = from;
}

TESSERA_TARGET inline void activate(const DirectConv& conv, Vector& value) {
  const Vector zero = {};
  switch (conv.activation) {
    case Activation::kRelu:
      value = value > zero ? value : zero;
      break;
    case Activation::kRelu6: {
      const Vector six = zero + 6.0F;
      value = value < zero ? zero : value;
      value = value > six ? six : value;
      break;
    }
    case Activation::kLeakyRelu:
      value = value > zero ? value : value * conv.alpha;
      break;
    default:
      break;
  }
}

/// Results of `channels` output channels by `vectors` vectors of x, at columns[0] and columns[1].
template <int channels, int vectors>
TESSERA_TARGET void row_tile(const DirectConv& conv, const float* window, const float* weights,
                             const float* bias, const int64_t* columns, float* const* rows) {
  Vector sums[channels][vectors];
  TESSERA_UNROLL
  for (int c = 0; c < channels; ++c) {
    TESSERA_UNROLL
    for (int v = 0; v < vectors; ++v) sums[c][v] = Vector{} + bias[c];
  }
  const int64_t taps = conv.taps();
  const int64_t* offsets = conv.offsets.data();
  for (int64_t tap = 0; tap < taps; ++tap) {
    Vector in[vectors];
    TESSERA_UNROLL
    for (int v = 0; v < vectors; ++v) load(in[v], window + offsets[tap] + columns[v]);
    TESSERA_UNROLL
    for (int c = 0; c < channels; ++c) {
      TESSERA_UNROLL
      for (int v = 0; v < vectors; ++v) sums[c][v] += in[v] * weights[tap * channels + c];
    }
  }
  TESSERA_UNROLL
  for (int c = 0; c < channels; ++c) {
    if (rows[c] == nullptr) continue;  // beyond the last channel
    TESSERA_UNROLL
    for (int v = 0; v < vectors; ++v) {
      activate(conv, sums[c][v]);
      store(rows[c] + columns[v], sums[c][v]);
    }
  }
}

template <int channels>
TESSERA_TARGET void row_of_tiles(const DirectConv& conv, const float* window, const float* weights,
                                 const float* bias, float* const* rows) {
  const int64_t last = conv.out_width - kLanes;  // the last vector overlaps the one before
  for (int64_t x = 0; x < conv.out_width; x += 2 * kLanes) {
    const int64_t columns[2] = {std::min(x, last), std::min(x + kLanes, last)};
    if (x + kLanes < conv.out_width) {
      row_tile<channels, 2>(conv, window, weights, bias, columns, rows);
    } else {
      row_tile<channels, 1>(conv, window, weights, bias, columns, rows);
    }
  }
}

TESSERA_TARGET void conv_by_rows(const DirectConv& conv, const float* image, const float* weights,
                                 const float* bias, float* result) {
  using Row = void (*)(const DirectConv&, const float*, const float*, const float*, float* const*);
  constexpr Row kRows[kRowChannels] = {row_of_tiles<1>, row_of_tiles<2>, row_of_tiles<3>,
                                       row_of_tiles<4>, row_of_tiles<5>, row_of_tiles<6>};
  const Row row = kRows[conv.block - 1];
  const int64_t plane = conv.out_height * conv.out_width;
  for (int64_t b = 0; b < conv.blocks(); ++b) {
    for (int64_t y = 0; y < conv.out_height; ++y) {
      float* rows[kRowChannels] = {};
      for (int64_t c = 0; c < conv.block && b * conv.block + c < conv.out_channels; ++c) {
        rows[c] = result + (b * conv.block + c) * plane + y * conv.out_width;
      }
      row(conv, image + y * conv.stride_y * conv.in_width, weights + b * conv.block * conv.taps(),
          bias + b * conv.block, rows);
    }
  }
}

/// 16 output channels of `pixels` neighbours in x: tile[pixel * 16 + channel].
template <int pixels>
TESSERA_TARGET void channel_tile(const DirectConv& conv, const float* window, const float* weights,
                                 const float* bias, float* tile) {
  Vector sums[pixels][kVectorsOf16];
  TESSERA_UNROLL
  for (int p = 0; p < pixels; ++p) {
    TESSERA_UNROLL
    for (int v = 0; v < kVectorsOf16; ++v) load(sums[p][v], bias + v * kLanes);
  }
  const int64_t taps = conv.taps();
  const int64_t step = conv.stride_x;
  const int64_t* offsets = conv.offsets.data();
  for (int64_t tap = 0; tap < taps; ++tap) {
    Vector weight[kVectorsOf16];
    TESSERA_UNROLL
    for (int v = 0; v < kVectorsOf16; ++v) load(weight[v], weights + tap * 16 + v * kLanes);
    const float* in = window + offsets[tap];
    TESSERA_UNROLL
    for (int p = 0; p < pixels; ++p) {
      TESSERA_UNROLL
      for (int v = 0; v < kVectorsOf16; ++v) sums[p][v] += weight[v] * in[p * step];
    }
  }
  TESSERA_UNROLL
  for (int p = 0; p < pixels; ++p) {
    TESSERA_UNROLL
    for (int v = 0; v < kVectorsOf16; ++v) {
      activate(conv, sums[p][v]);
      store(tile + p * 16 + v * kLanes, sums[p][v]);
    }
  }
}

TESSERA_TARGET void conv_by_channels(const DirectConv& conv, const float* image,
                                     const float* weights, const float* bias, float* result) {
  using Tile = void (*)(const DirectConv&, const float*, const float*, const float*, float*);
  constexpr Tile kTiles[10] = {channel_tile<1>,
                               channel_tile<2>,
                               channel_tile<3>,
                               channel_tile<4>,
                               channel_tile<5>,
                               channel_tile<6>,
                               channel_tile < kLanes == 16 ? 7 : 1 >,
                               channel_tile < kLanes == 16 ? 8 : 1 >,
                               channel_tile < kLanes == 16 ? 9 : 1 >,
                               channel_tile < kLanes == 16 ? 10 : 1 > };
  // Even tiles; the last one overlaps the one before.
  const int64_t tiles = (conv.out_width + kPixels - 1) / kPixels;
  const int64_t pixels = (conv.out_width + tiles - 1) / tiles;
  const Tile tile = kTiles[pixels - 1];
  const int64_t plane = conv.out_height * conv.out_width;
  float done[kPixels * 16];
  for (int64_t b = 0; b < conv.blocks(); ++b) {
    const int64_t channels = std::min<int64_t>(16, conv.out_channels - b * 16);
    for (int64_t y = 0; y < conv.out_height; ++y) {
      const float* window = image + y * conv.stride_y * conv.in_width;
      for (int64_t t = 0; t < tiles; ++t) {
        const int64_t x = std::min(t * pixels, conv.out_width - pixels);
        tile(conv, window + x * conv.stride_x, weights + b * 16 * conv.taps(), bias + b * 16, done);
        float* out = result + b * 16 * plane + y * conv.out_width + x;
        for (int64_t c = 0; c < channels; ++c) {
          for (int64_t p = 0; p < pixels; ++p) out[c * plane + p] = done[p * 16 + c];
        }
      }
    }
  }
}

/// The larger of each pair in the two vectors of `width` floats above each other.
TESSERA_TARGET inline void pool_vector(const float* top, const float* bottom, float* result) {
  Vector a;
  Vector b;
  Vector c;
  Vector d;
  load(a, top);
  load(b, top + kLanes);
  load(c, bottom);
  load(d, bottom + kLanes);
  a = a > c ? a : c;
  b = b > d ? b : d;
#if TESSERA_LANES == 16
  const Vector even =
      __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
  const Vector odd =
      __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, 21, 23, 25, 27, 29, 31);
#else
  const Vector even = __builtin_shufflevector(a, b, 0, 2, 4, 6, 8, 10, 12, 14);
  const Vector odd = __builtin_shufflevector(a, b, 1, 3, 5, 7, 9, 11, 13, 15);
#endif
  const Vector larger = even > odd ? even : odd;
  store(result, larger);
}

TESSERA_TARGET void max_pool_2x2(int64_t planes, int64_t height, int64_t width, const float* image,
                                 float* result) {
  const int64_t out_width = width / 2;
  for (int64_t plane = 0; plane < planes; ++plane, image += height * width) {
    for (int64_t y = 0; y < height / 2; ++y, result += out_width) {
      const float* top = image + 2 * y * width;
      const float* bottom = top + width;
      int64_t x = 0;
      for (; x + kLanes <= out_width; x += kLanes) {
        pool_vector(top + 2 * x, bottom + 2 * x, result + x);
      }
      if (x < out_width && out_width >= kLanes) {
        x = out_width - kLanes;
        pool_vector(top + 2 * x, bottom + 2 * x, result + x);
        x = out_width;
      }
      for (; x < out_width; ++x) {
        result[x] = std::max(std::max(top[2 * x], top[2 * x + 1]),
                             std::max(bottom[2 * x], bottom[2 * x + 1]));
      }
    }
  }
}
