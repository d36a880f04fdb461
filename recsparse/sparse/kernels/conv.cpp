// Convolution along the pairs of a kernel map, compiled once for each instruction set (SUFFIX,
// VECTOR_BYTES, VECTOR_REGISTERS come from the build).
//
// Forward: a tile of output rows stays in the second-level cache while every tap adds to it; a
// block of rows is gathered into registers, multiplied by the tap's matrix and added. Weight
// gradient: strips of tiles, each with sums of its own, added up in a fixed order. Neither order
// depends on the number of threads, so results are equal bit for bit.
#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "kernels.h"

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#define EXPORT extern "C" __attribute__((visibility("default")))

namespace {

constexpr int64_t kTileBytes = 192 * 1024;
constexpr int kPairBlock = 64;

template <class T>
struct Vector {
  static constexpr int width = VECTOR_BYTES / sizeof(T);
  typedef T type __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(T)), may_alias));
};
template <class T>
using vec = typename Vector<T>::type;

int64_t rounded_up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

// Registers: rows * vectors accumulators, the vectors of the weights, one broadcast number.
constexpr int rows_for(int vectors) {
  return VECTOR_REGISTERS >= 32 ? (vectors == 1 ? 12 : vectors == 2 ? 12 : vectors == 3 ? 8 : 6)
                                : (vectors == 1 ? 8 : 6);
}
constexpr int kMaxVectors = VECTOR_REGISTERS >= 32 ? 4 : 2;

template <class T>
struct Rows {
  const T* x[12];
  T* y[12];
};

// y[r] += x[r] W for a block of rows, over `V` vectors of columns; `first` forgets what y held.
template <class T, int V>
__attribute__((always_inline)) inline void multiply_rows(
    const Rows<T>& rows, const T* w, int64_t c_in, int64_t w_stride, const T* start) {
  constexpr int R = rows_for(V), W = Vector<T>::width;
  vec<T> sum[R][V];
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v)
      sum[r][v] = *reinterpret_cast<const vec<T>*>((start ? start : rows.y[r]) + v * W);
  const T* x[R];
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r) x[r] = rows.x[r];
  for (int64_t k = 0; k < c_in; ++k) {
    vec<T> weight[V];
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v)
      weight[v] = *reinterpret_cast<const vec<T>*>(w + k * w_stride + v * W);
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) sum[r][v] += weight[v] * x[r][k];
  }
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) *reinterpret_cast<vec<T>*>(rows.y[r] + v * W) = sum[r][v];
}

// What a tile needs to know of the convolution.
template <class T>
struct Conv {
  const ConvArgs& args;
  const T* x;
  const T* w;       // (taps, groups, c_in, columns), the columns padded to whole vectors
  const T* bias;    // (groups, columns) padded, never null
  int64_t columns;  // of a group, padded
  int64_t x_stride, y_stride, taps;

  // Pairs of one tap that end in one tile: rows of x onto rows of y.
  struct Span {
    const int32_t* in;
    const int32_t* out;
    int64_t size;
  };

  Span span(int64_t tap, int64_t first, int64_t last) const {
    const bool mirrored = args.symmetric && tap > args.stored;
    const int64_t held = mirrored ? 2 * args.stored - tap : tap;
    const int32_t* in = mirrored ? args.out : args.in;
    const int32_t* out = mirrored ? args.in : args.out;
    const int32_t* begin = out + args.tap_ptr[held];
    const int32_t* end = out + args.tap_ptr[held + 1];
    const int32_t* from = std::lower_bound(begin, end, first);
    const int32_t* to = std::lower_bound(from, end, last);
    return {in + (from - out), from, to - from};
  }
};

// Rows [0, size) of x (by index or in sequence) times one tap onto rows of the tile.
template <class T, int V>
void multiply_span(const Conv<T>& conv, const int32_t* in, const int32_t* out, int64_t size,
                   int64_t first, T* tile, int64_t group, int64_t column, int64_t tap,
                   const T* start, T* spare) {
  constexpr int R = rows_for(V);
  const int64_t c_in = conv.args.c_in;
  const T* x = conv.x + group * c_in;
  T* y = tile + group * conv.columns + column;
  const T* w = conv.w + ((tap * conv.args.groups + group) * c_in) * conv.columns + column;
  for (int64_t p = 0; p < size;) {
    Rows<T> rows;
    int r = 0;
    for (; r < R && p < size; ++r, ++p) {
      if (conv.args.repeats && r && out && out[p] == out[p - 1]) break;
      rows.x[r] = x + (in ? in[p] : first + p) * conv.x_stride;
      rows.y[r] = y + (out ? out[p] - first : p) * conv.y_stride;
      if (in && p + R < size)
        __builtin_prefetch(x + in[p + R] * conv.x_stride);
    }
    for (; r < R; ++r) {  // the rest of a block computes what nobody reads
      rows.x[r] = rows.x[0];
      rows.y[r] = spare;
    }
    multiply_rows<T, V>(rows, w, c_in, conv.columns, start);
  }
}

template <class T>
void multiply_columns(const Conv<T>& conv, const int32_t* in, const int32_t* out, int64_t size,
                      int64_t first, T* tile, int64_t tap, bool fresh, T* spare) {
  constexpr int W = Vector<T>::width;
  for (int64_t group = 0; group < conv.args.groups; ++group)
    for (int64_t column = 0; column < conv.columns;) {
      const int64_t left = std::min<int64_t>((conv.columns - column) / W, kMaxVectors);
      const T* start = fresh ? conv.bias + group * conv.columns + column : nullptr;
      switch (left) {
        case 1: multiply_span<T, 1>(conv, in, out, size, first, tile, group, column, tap, start, spare); break;
        case 2: multiply_span<T, 2>(conv, in, out, size, first, tile, group, column, tap, start, spare); break;
        case 3: multiply_span<T, kMaxVectors < 3 ? 1 : 3>(conv, in, out, size, first, tile, group, column, tap, start, spare); break;
        default: multiply_span<T, kMaxVectors < 4 ? 1 : 4>(conv, in, out, size, first, tile, group, column, tap, start, spare);
      }
      column += left * W;
    }
}

template <class T>
void add_depthwise(const Conv<T>& conv, const int32_t* in, const int32_t* out, int64_t size,
                   int64_t first, T* tile, int64_t tap) {
  const int64_t channels = conv.args.groups;
  const T* w = conv.w + tap * channels;
  for (int64_t p = 0; p < size; ++p) {
    const T* x = conv.x + (in ? in[p] : first + p) * channels;
    T* y = tile + (out ? out[p] - first : p) * channels;
    for (int64_t c = 0; c < channels; ++c) y[c] += x[c] * w[c];
  }
}

// One tile of output rows, every tap.
template <class T>
void convolve_tile(const Conv<T>& conv, int64_t first, int64_t last, T* tile, T* spare) {
  const ConvArgs& args = conv.args;
  const bool depthwise = args.c_in == 1 && args.c_out == 1;
  const int64_t width = args.groups * conv.columns;
  const bool fresh = args.symmetric && !depthwise;
  if (fresh)
    multiply_columns<T>(conv, nullptr, nullptr, last - first, first, tile, args.stored, true, spare);
  else
    for (int64_t row = 0; row < last - first; ++row)
      std::memcpy(tile + row * width, conv.bias, width * sizeof(T));
  for (int64_t tap = 0; tap < conv.taps; ++tap) {
    const bool centre = args.symmetric && tap == args.stored;
    if (centre && fresh) continue;
    auto span = centre ? typename Conv<T>::Span{nullptr, nullptr, last - first}
                       : conv.span(tap, first, last);
    if (depthwise)
      add_depthwise<T>(conv, span.in, span.out, span.size, first, tile, tap);
    else
      multiply_columns<T>(conv, span.in, span.out, span.size, first, tile, tap, false, spare);
  }
}

template <class T>
T* aligned_array(int64_t size) {
  void* memory = nullptr;
  if (posix_memalign(&memory, 64, std::max<int64_t>(size, 1) * sizeof(T))) std::abort();
  std::memset(memory, 0, std::max<int64_t>(size, 1) * sizeof(T));
  return static_cast<T*>(memory);
}

// Rows of `c` numbers, padded with zeros to rows of `columns`.
template <class T>
T* padded(const T* rows, int64_t n, int64_t c, int64_t columns) {
  T* copy = aligned_array<T>(n * columns);
  if (rows)
    for (int64_t i = 0; i < n; ++i) std::memcpy(copy + i * columns, rows + i * c, c * sizeof(T));
  return copy;
}

template <class T>
void convolve(const ConvArgs& args) {
  const bool depthwise = args.c_in == 1 && args.c_out == 1;
  const int64_t columns = depthwise ? 1 : rounded_up(args.c_out, Vector<T>::width);
  const int64_t taps = args.symmetric ? 2 * args.stored + 1 : args.stored;
  const int64_t width = args.groups * columns, exact = args.groups * args.c_out;
  T* w = padded(static_cast<const T*>(args.other), taps * args.groups * args.c_in, args.c_out, columns);
  T* bias = padded(static_cast<const T*>(args.bias), args.groups, args.c_out, columns);
  const Conv<T> conv{args, static_cast<const T*>(args.x), w, bias, columns,
                     args.groups * args.c_in, width, taps};
  T* y = static_cast<T*>(args.result);
  const int64_t rows = std::max<int64_t>(kTileBytes / (width * sizeof(T)), 16);
  const int64_t tiles = (args.n_out + rows - 1) / rows;
#pragma omp parallel num_threads(args.threads) if (args.threads > 1 && tiles > 1)
  {
    T* spare = aligned_array<T>(width + (width == exact ? 0 : rows * width));
#pragma omp for schedule(dynamic, 1)
    for (int64_t number = 0; number < tiles; ++number) {
      const int64_t first = number * rows, last = std::min(first + rows, args.n_out);
      if (width == exact) {
        convolve_tile<T>(conv, first, last, y + first * width, spare);
        continue;
      }
      T* tile = spare + width;
      convolve_tile<T>(conv, first, last, tile, spare);
      for (int64_t row = first; row < last; ++row)
        for (int64_t group = 0; group < args.groups; ++group)
          std::memcpy(y + row * exact + group * args.c_out,
                      tile + (row - first) * width + group * columns, args.c_out * sizeof(T));
    }
    std::free(spare);
  }
  std::free(w);
  std::free(bias);
}

// sum[k] += x[p][k] g[p] over a block of pairs: `K` rows of the tap's gradient, `V` vectors.
template <class T, int K, int V>
__attribute__((always_inline)) inline void outer_rows(const T* const* x, const T* const* g,
                                                      int64_t pairs, int64_t k, int64_t column,
                                                      T* sum, int64_t stride) {
  constexpr int W = Vector<T>::width;
  vec<T> total[K][V];
#pragma GCC unroll 16
  for (int i = 0; i < K; ++i)
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v)
      total[i][v] = *reinterpret_cast<const vec<T>*>(sum + i * stride + v * W);
  for (int64_t p = 0; p < pairs; ++p) {
    const T* left = x[p] + k;
    vec<T> right[V];
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) right[v] = *reinterpret_cast<const vec<T>*>(g[p] + column + v * W);
#pragma GCC unroll 16
    for (int i = 0; i < K; ++i)
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) total[i][v] += right[v] * left[i];
  }
#pragma GCC unroll 16
  for (int i = 0; i < K; ++i)
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) *reinterpret_cast<vec<T>*>(sum + i * stride + v * W) = total[i][v];
}

template <class T, int V>
void outer_columns(const T* const* x, const T* const* g, int64_t pairs, int64_t c_in,
                   int64_t column, T* sum, int64_t stride) {
  constexpr int K = VECTOR_REGISTERS >= 32 ? (V == 1 ? 16 : V == 2 ? 8 : 4) : (V == 1 ? 8 : 4);
  int64_t k = 0;
  for (; k + K <= c_in; k += K)
    outer_rows<T, K, V>(x, g, pairs, k, column, sum + k * stride + column, stride);
  for (; k < c_in; ++k)
    outer_rows<T, 1, V>(x, g, pairs, k, column, sum + k * stride + column, stride);
}

template <class T>
void outer_block(const T* const* x, const T* const* g, int64_t pairs, int64_t c_in,
                 int64_t columns, T* sum) {
  constexpr int W = Vector<T>::width;
  for (int64_t column = 0; column < columns;) {
    const int64_t left = std::min<int64_t>((columns - column) / W, kMaxVectors);
    switch (left) {
      case 1: outer_columns<T, 1>(x, g, pairs, c_in, column, sum, columns); break;
      case 2: outer_columns<T, 2>(x, g, pairs, c_in, column, sum, columns); break;
      case 3: outer_columns<T, kMaxVectors < 3 ? 1 : 3>(x, g, pairs, c_in, column, sum, columns); break;
      default: outer_columns<T, kMaxVectors < 4 ? 1 : 4>(x, g, pairs, c_in, column, sum, columns);
    }
    column += left * W;
  }
}

template <class T>
struct WeightGradient {
  const ConvArgs& args;
  const T* x;
  const T* g;
  int64_t columns, taps;

  // Adds the pairs of one tap and tile to that tap's sums; `rows` holds padded gradient rows.
  void add(const typename Conv<T>::Span& span, int64_t first, int64_t tap, T* sums, T* rows) const {
    const int64_t x_stride = args.groups * args.c_in, g_stride = args.groups * args.c_out;
    const T* left[kPairBlock];
    const T* right[kPairBlock];
    for (int64_t group = 0; group < args.groups; ++group) {
      T* sum = sums + (tap * args.groups + group) * args.c_in * columns;
      for (int64_t p = 0; p < span.size; p += kPairBlock) {
        const int64_t pairs = std::min<int64_t>(kPairBlock, span.size - p);
        for (int64_t i = 0; i < pairs; ++i) {
          const int64_t in = span.in ? span.in[p + i] : first + p + i;
          const int64_t out = span.out ? span.out[p + i] : first + p + i;
          left[i] = x + in * x_stride + group * args.c_in;
          right[i] = g + out * g_stride + group * args.c_out;
          if (columns != args.c_out) {  // a whole vector must not read past the row
            std::memcpy(rows + i * columns, right[i], args.c_out * sizeof(T));
            right[i] = rows + i * columns;
          }
        }
        outer_block<T>(left, right, pairs, args.c_in, columns, sum);
      }
    }
  }

  void add_depthwise(const typename Conv<T>::Span& span, int64_t first, int64_t tap, T* sums) const {
    const int64_t channels = args.groups;
    T* sum = sums + tap * channels;
    for (int64_t p = 0; p < span.size; ++p) {
      const T* left = x + (span.in ? span.in[p] : first + p) * channels;
      const T* right = g + (span.out ? span.out[p] : first + p) * channels;
      for (int64_t c = 0; c < channels; ++c) sum[c] += left[c] * right[c];
    }
  }
};

template <class T>
void weight_gradient(const ConvArgs& args) {
  const bool depthwise = args.c_in == 1 && args.c_out == 1;
  const int64_t columns = depthwise ? 1 : rounded_up(args.c_out, Vector<T>::width);
  const int64_t taps = args.symmetric ? 2 * args.stored + 1 : args.stored;
  const int64_t matrices = taps * args.groups * args.c_in, size = matrices * columns;
  const WeightGradient<T> gradient{args, static_cast<const T*>(args.x),
                                   static_cast<const T*>(args.other), columns, taps};
  const Conv<T> pairs{args, nullptr, nullptr, nullptr, columns, 0, 0, taps};
  const int64_t row_bytes = args.groups * (args.c_in + args.c_out) * sizeof(T);
  const int64_t rows = std::max<int64_t>(kTileBytes / row_bytes, 16);
  const int64_t tiles = (args.n_out + rows - 1) / rows;
  // As many strips as keep many cores busy, whatever the number of threads; few where sums are large.
  const int64_t strips = std::max<int64_t>(std::min<int64_t>({tiles, 32, (int64_t(1) << 24) / (size * int64_t(sizeof(T)) + 1)}), 1);
  T* sums = aligned_array<T>(strips * size);
#pragma omp parallel num_threads(args.threads) if (args.threads > 1 && strips > 1)
  {
    T* spare = aligned_array<T>(columns == args.c_out ? 1 : kPairBlock * columns);
#pragma omp for schedule(dynamic, 1)
    for (int64_t strip = 0; strip < strips; ++strip)
      for (int64_t number = tiles * strip / strips; number < tiles * (strip + 1) / strips; ++number) {
        const int64_t first = number * rows, last = std::min(first + rows, args.n_out);
        for (int64_t tap = 0; tap < taps; ++tap) {
          const bool centre = args.symmetric && tap == args.stored;
          auto span = centre ? typename Conv<T>::Span{nullptr, nullptr, last - first}
                             : pairs.span(tap, first, last);
          T* own = sums + strip * size;
          if (depthwise) gradient.add_depthwise(span, first, tap, own);
          else gradient.add(span, first, tap, own, spare);
        }
      }
    std::free(spare);
  }
  T* result = static_cast<T*>(args.result);
  for (int64_t i = 0; i < matrices; ++i)
    for (int64_t c = 0; c < args.c_out; ++c) {
      T total = 0;
      for (int64_t strip = 0; strip < strips; ++strip) total += sums[strip * size + i * columns + c];
      result[i * args.c_out + c] = total;
    }
  std::free(sums);
}

}  // namespace

EXPORT void JOIN(rs_conv_f32_, SUFFIX)(const ConvArgs* args) { convolve<float>(*args); }
EXPORT void JOIN(rs_conv_f64_, SUFFIX)(const ConvArgs* args) { convolve<double>(*args); }
EXPORT void JOIN(rs_weight_f32_, SUFFIX)(const ConvArgs* args) { weight_gradient<float>(*args); }
EXPORT void JOIN(rs_weight_f64_, SUFFIX)(const ConvArgs* args) { weight_gradient<double>(*args); }
