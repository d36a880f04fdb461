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
#if defined(__AVX512BF16__)
#include <immintrin.h>
#endif

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#define EXPORT extern "C" __attribute__((visibility("default")))

namespace {

constexpr int64_t kTileBytes = 192 * 1024;
constexpr int kPairBlock = 64;
// Weight gradient: what the sums of several strips may take, and how many jobs add to them.
constexpr int64_t kStripBytes = int64_t(1) << 22;
constexpr int64_t kJobs = 32;

template <class T>
struct Vector {
  static constexpr int width = VECTOR_BYTES / sizeof(T);
  typedef T type __attribute__((vector_size(VECTOR_BYTES), aligned(sizeof(T)), may_alias));
};
template <class T>
using vec = typename Vector<T>::type;

// How numbers of one type are multiplied: what they add up in, how many go into one step of the
// inner loop, and that step.
template <class T>
struct Format {
  using Sum = T;
  using Weights = vec<T>;
  static constexpr int pack = 1;
  static Weights load(const T* w) { return *reinterpret_cast<const vec<T>*>(w); }
  static void add(vec<T>& sum, Weights w, const T* x) { sum += w * *x; }
  static void add_last(vec<T>& sum, Weights w, const T* x) { add(sum, w, x); }
  static void interleave(const T* row, const T*, int64_t size, T* onto) {
    std::memcpy(onto, row, size * sizeof(T));
  }
  static T widen(T value) { return value; }
  static T narrow(T value) { return value; }
};

struct bfloat16 {
  uint16_t bits;
};

#if defined(__AVX512BF16__)
// Two neighbouring numbers of the summed axis go into one step, so matrices are packed in pairs.
template <>
struct Format<bfloat16> {
  using Sum = float;
  using Weights = __m512bh;
  static constexpr int pack = 2;
  static Weights load(const bfloat16* w) { return (__m512bh)_mm512_loadu_si512(w); }
  static void add(vec<float>& sum, Weights w, const bfloat16* x) {
    int32_t both;
    std::memcpy(&both, x, sizeof both);
    sum = (vec<float>)_mm512_dpbf16_ps((__m512)sum, w, (__m512bh)_mm512_set1_epi32(both));
  }
  // A last number without a partner; what follows it belongs to others, and may be NaN.
  static void add_last(vec<float>& sum, Weights w, const bfloat16* x) {
    sum = (vec<float>)_mm512_dpbf16_ps((__m512)sum, w, (__m512bh)_mm512_set1_epi32(x->bits));
  }
  // One 32-bit word for each column: what a loop of vectors can write.
  static void interleave(const bfloat16* even, const bfloat16* odd, int64_t size, bfloat16* onto) {
    for (int64_t c = 0; c < size; ++c) {
      const uint32_t both = uint32_t(even[c].bits) | uint32_t(odd[c].bits) << 16;
      std::memcpy(onto + 2 * c, &both, sizeof both);
    }
  }
  static float widen(bfloat16 value) {
    const uint32_t bits = uint32_t(value.bits) << 16;
    float wide;
    std::memcpy(&wide, &bits, sizeof wide);
    return wide;
  }
  static bfloat16 narrow(float value) {  // to the nearest, ties to even; NaN stays NaN
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    const uint32_t rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
    return {uint16_t((bits & 0x7fffffff) > 0x7f800000 ? (bits >> 16) | 0x40 : rounded)};
  }
};
#endif
template <class T>
using Sum = typename Format<T>::Sum;

int64_t rounded_up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

// Rows that a matrix of `c_in` rows has once they are packed.
template <class T>
int64_t packed_rows(int64_t c_in) { return rounded_up(c_in, Format<T>::pack); }

template <class T>
inline void fetch(const T* row, int64_t size) {
  for (int64_t i = 0; i < size; i += 64 / sizeof(T)) __builtin_prefetch(row + i);
}

// Registers: rows * vectors accumulators, the vectors of the weights, one broadcast number.
constexpr int rows_for(int vectors) {
  return VECTOR_REGISTERS >= 32 ? (vectors == 1 ? 12 : vectors == 2 ? 12 : vectors == 3 ? 8 : 6)
                                : (vectors == 1 ? 8 : 6);
}
constexpr int kMaxVectors = VECTOR_REGISTERS >= 32 ? 4 : 2;

template <class T>
struct Rows {
  const T* x[12];
  Sum<T>* y[12];
};

// y[r] += x[r] W for a block of rows, over `V` vectors of columns; where `start` is given, it
// stands for what y held.
template <class T, int V>
__attribute__((always_inline)) inline void multiply_rows(
    const Rows<T>& rows, const T* w, int64_t c_in, int64_t columns, const Sum<T>* start) {
  constexpr int R = rows_for(V), W = Vector<Sum<T>>::width, P = Format<T>::pack;
  using Wide = vec<Sum<T>>;
  Wide sum[R][V];
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v)
      sum[r][v] = *reinterpret_cast<const Wide*>((start ? start : rows.y[r]) + v * W);
  const T* x[R];
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r) x[r] = rows.x[r];
  int64_t k = 0;
  for (; k + P <= c_in; k += P) {
    typename Format<T>::Weights weight[V];
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) weight[v] = Format<T>::load(w + k * columns + v * W * P);
#pragma GCC unroll 12
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) Format<T>::add(sum[r][v], weight[v], x[r] + k);
  }
  if (P > 1 && k < c_in)
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) {
      const auto weight = Format<T>::load(w + k * columns + v * W * P);
#pragma GCC unroll 12
      for (int r = 0; r < R; ++r) Format<T>::add_last(sum[r][v], weight, x[r] + k);
    }
#pragma GCC unroll 12
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) *reinterpret_cast<Wide*>(rows.y[r] + v * W) = sum[r][v];
}

// What a tile needs to know of the convolution.
template <class T>
struct Conv {
  const ConvArgs& args;
  const T* x;
  const T* w;       // (taps, groups, c_in, columns): whole packs of rows, whole vectors of columns
  const Sum<T>* bias;  // (groups, columns) padded, never null
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
                   int64_t first, Sum<T>* tile, int64_t group, int64_t column, int64_t tap,
                   const Sum<T>* start, Sum<T>* spare) {
  constexpr int R = rows_for(V);
  const int64_t c_in = conv.args.c_in;
  const T* x = conv.x + group * c_in;
  Sum<T>* y = tile + group * conv.columns + column;
  const T* w = conv.w + (tap * conv.args.groups + group) * packed_rows<T>(c_in) * conv.columns +
               column * Format<T>::pack;
  for (int64_t p = 0; p < size;) {
    Rows<T> rows;
    int r = 0;
    for (; r < R && p < size; ++r, ++p) {
      if (conv.args.repeats && r && out && out[p] == out[p - 1]) break;
      rows.x[r] = x + (in ? in[p] : first + p) * conv.x_stride;
      rows.y[r] = y + (out ? out[p] - first : p) * conv.y_stride;
      if (in && p + R < size)
        fetch(x + in[p + R] * conv.x_stride, c_in);
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
                      int64_t first, Sum<T>* tile, int64_t tap, bool fresh, Sum<T>* spare) {
  constexpr int W = Vector<Sum<T>>::width;
  for (int64_t group = 0; group < conv.args.groups; ++group)
    for (int64_t column = 0; column < conv.columns;) {
      const int64_t left = std::min<int64_t>((conv.columns - column) / W, kMaxVectors);
      const Sum<T>* start = fresh ? conv.bias + group * conv.columns + column : nullptr;
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
                   int64_t first, Sum<T>* tile, int64_t tap) {
  const int64_t channels = conv.args.groups;
  const T* w = conv.w + tap * channels;
  for (int64_t p = 0; p < size; ++p) {
    const T* x = conv.x + (in ? in[p] : first + p) * channels;
    Sum<T>* y = tile + (out ? out[p] - first : p) * channels;
    for (int64_t c = 0; c < channels; ++c) y[c] += Format<T>::widen(x[c]) * Format<T>::widen(w[c]);
  }
}

// One tile of output rows, every tap.
template <class T>
void convolve_tile(const Conv<T>& conv, int64_t first, int64_t last, Sum<T>* tile, Sum<T>* spare) {
  const ConvArgs& args = conv.args;
  const bool depthwise = args.c_in == 1 && args.c_out == 1;
  const int64_t width = args.groups * conv.columns;
  const bool fresh = args.symmetric && !depthwise;
  if (fresh)
    multiply_columns<T>(conv, nullptr, nullptr, last - first, first, tile, args.stored, true, spare);
  else
    for (int64_t row = 0; row < last - first; ++row)
      std::memcpy(tile + row * width, conv.bias, width * sizeof(Sum<T>));
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

// How many threads a convolution is worth: waking one costs as much as some million products.
int64_t threads_for(const ConvArgs& args) {
  const int64_t pairs = args.n_out + args.tap_ptr[args.stored] * (args.symmetric ? 2 : 1);
  const bool small = pairs * args.groups * args.c_in * args.c_out < (int64_t(1) << 22);
  return small ? 1 : args.threads;
}

// Matrices of `c_in` rows of `c_out` numbers, padded with zeros, and their rows interleaved in packs.
template <class T>
T* packed_weights(const T* w, int64_t matrices, int64_t c_in, int64_t c_out, int64_t columns) {
  constexpr int P = Format<T>::pack;
  const int64_t size = packed_rows<T>(c_in) * columns;
  T* copy = aligned_array<T>(matrices * size);
  for (int64_t matrix = 0; matrix < matrices; ++matrix)
    for (int64_t k = 0; k < c_in; ++k)
      for (int64_t c = 0; c < c_out; ++c)
        copy[matrix * size + k / P * P * columns + c * P + k % P] = *w++;
  return copy;
}

template <class T>
Sum<T>* padded_bias(const T* bias, int64_t groups, int64_t c_out, int64_t columns) {
  Sum<T>* copy = aligned_array<Sum<T>>(groups * columns);
  if (bias)
    for (int64_t i = 0; i < groups; ++i)
      for (int64_t c = 0; c < c_out; ++c) copy[i * columns + c] = Format<T>::widen(bias[i * c_out + c]);
  return copy;
}

// Rows of the result, which lie in it where its type and width are those of a tile.
template <class T>
void store_tile(const Conv<T>& conv, const Sum<T>* tile, int64_t first, int64_t last, T* y) {
  const int64_t groups = conv.args.groups, c_out = conv.args.c_out;
  for (int64_t row = first; row < last; ++row)
    for (int64_t group = 0; group < groups; ++group) {
      const Sum<T>* from = tile + (row - first) * conv.y_stride + group * conv.columns;
      T* onto = y + (row * groups + group) * c_out;
      for (int64_t c = 0; c < c_out; ++c) onto[c] = Format<T>::narrow(from[c]);
    }
}

template <class T>
void convolve(const ConvArgs& args) {
  const bool depthwise = args.c_in == 1 && args.c_out == 1;
  const int64_t columns = depthwise ? 1 : rounded_up(args.c_out, Vector<Sum<T>>::width);
  const int64_t taps = args.symmetric ? 2 * args.stored + 1 : args.stored;
  const int64_t width = args.groups * columns;
  const bool in_place = sizeof(T) == sizeof(Sum<T>) && columns == args.c_out;
  // A depthwise product reads its weights one after the other, as they are given.
  const T* given = static_cast<const T*>(args.other);
  T* packed = depthwise ? nullptr : packed_weights(given, taps * args.groups, args.c_in, args.c_out, columns);
  const T* w = depthwise ? given : packed;
  Sum<T>* bias = padded_bias(static_cast<const T*>(args.bias), args.groups, args.c_out, columns);
  const Conv<T> conv{args, static_cast<const T*>(args.x), w, bias, columns,
                     args.groups * args.c_in, width, taps};
  T* y = static_cast<T*>(args.result);
  const int64_t rows = std::max<int64_t>(kTileBytes / (width * sizeof(Sum<T>)), 16);
  const int64_t tiles = (args.n_out + rows - 1) / rows;
#pragma omp parallel num_threads(threads_for(args)) if (threads_for(args) > 1 && tiles > 1)
  {
    Sum<T>* spare = aligned_array<Sum<T>>(width + (in_place ? 0 : rows * width));
#pragma omp for schedule(dynamic, 1)
    for (int64_t number = 0; number < tiles; ++number) {
      const int64_t first = number * rows, last = std::min(first + rows, args.n_out);
      Sum<T>* tile = in_place ? reinterpret_cast<Sum<T>*>(y) + first * width : spare + width;
      convolve_tile<T>(conv, first, last, tile, spare);
      if (!in_place) store_tile<T>(conv, tile, first, last, y);
    }
    std::free(spare);
  }
  std::free(packed);
  std::free(bias);
}

// sum[k] += x[p][k] g[p] over a block of pairs: `K` rows of the tap's gradient, `V` vectors. With
// packs, x[p] and g[p] hold the numbers of as many pairs, interleaved.
template <class T, int K, int V>
__attribute__((always_inline)) inline void outer_rows(const T* const* x, const T* const* g,
                                                      int64_t packs, int64_t k, int64_t column,
                                                      Sum<T>* sum, int64_t stride) {
  constexpr int W = Vector<Sum<T>>::width, P = Format<T>::pack;
  using Wide = vec<Sum<T>>;
  Wide total[K][V];
#pragma GCC unroll 16
  for (int i = 0; i < K; ++i)
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v)
      total[i][v] = *reinterpret_cast<const Wide*>(sum + i * stride + v * W);
  for (int64_t p = 0; p < packs; ++p) {
    const T* left = x[p] + k * P;
    typename Format<T>::Weights right[V];
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) right[v] = Format<T>::load(g[p] + (column + v * W) * P);
#pragma GCC unroll 16
    for (int i = 0; i < K; ++i)
#pragma GCC unroll 4
      for (int v = 0; v < V; ++v) Format<T>::add(total[i][v], right[v], left + i * P);
  }
#pragma GCC unroll 16
  for (int i = 0; i < K; ++i)
#pragma GCC unroll 4
    for (int v = 0; v < V; ++v) *reinterpret_cast<Wide*>(sum + i * stride + v * W) = total[i][v];
}

template <class T, int V>
void outer_columns(const T* const* x, const T* const* g, int64_t pairs, int64_t c_in,
                   int64_t column, Sum<T>* sum, int64_t stride) {
  constexpr int K = VECTOR_REGISTERS >= 32 ? (V == 1 ? 16 : V == 2 ? 8 : 4) : (V == 1 ? 12 : 6);
  int64_t k = 0;
  for (; k + K <= c_in; k += K)
    outer_rows<T, K, V>(x, g, pairs, k, column, sum + k * stride + column, stride);
  for (; k + 4 <= c_in; k += 4)
    outer_rows<T, 4, V>(x, g, pairs, k, column, sum + k * stride + column, stride);
  for (; k < c_in; ++k)
    outer_rows<T, 1, V>(x, g, pairs, k, column, sum + k * stride + column, stride);
}

template <class T>
void outer_block(const T* const* x, const T* const* g, int64_t pairs, int64_t c_in,
                 int64_t columns, Sum<T>* sum) {
  constexpr int W = Vector<Sum<T>>::width;
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

  // Adds the pairs of one tap and tile to that tap's sums; `spare` holds rows that are copied.
  void add(const typename Conv<T>::Span& span, int64_t first, int64_t tap, Sum<T>* sums,
           T* spare) const {
    constexpr int P = Format<T>::pack;
    const int64_t c_in = args.c_in, c_out = args.c_out;
    const int64_t x_stride = args.groups * c_in, g_stride = args.groups * c_out;
    const T* left[kPairBlock];
    const T* right[kPairBlock];
    for (int64_t group = 0; group < args.groups; ++group) {
      const T* x_rows = x + group * c_in;
      const T* g_rows = g + group * c_out;
      for (int64_t p = 0; p < span.size; p += kPairBlock) {
        const int64_t pairs = std::min<int64_t>(kPairBlock, span.size - p);
        for (int64_t i = 0; i < pairs; ++i) {
          left[i] = x_rows + (span.in ? span.in[p + i] : first + p + i) * x_stride;
          right[i] = g_rows + (span.out ? span.out[p + i] : first + p + i) * g_stride;
          if (span.in && p + i + kPairBlock < span.size) {  // for the next block
            fetch(x_rows + span.in[p + i + kPairBlock] * x_stride, c_in);
            fetch(g_rows + span.out[p + i + kPairBlock] * g_stride, c_out);
          }
        }
        // A whole vector must not read past a row, and packs hold the rows of several pairs.
        if (P > 1) interleave(left, pairs, c_in, c_in, spare);
        if (P > 1 || columns != c_out)
          interleave(right, pairs, c_out, columns, spare + kPairBlock * c_in);
        outer_block<T>(left, right, (pairs + P - 1) / P, c_in, columns,
                       sums + (tap * args.groups + group) * c_in * columns);
      }
    }
  }

  // Copies `size` numbers of each row to rows of `width`, the packs interleaved, the rest zeros.
  static void interleave(const T** rows, int64_t pairs, int64_t size, int64_t width, T* spare) {
    constexpr int P = Format<T>::pack;
    for (int64_t i = 0; i < pairs; i += P) {
      T* onto = spare + i * width;
      if (pairs - i < P) {  // a missing partner is a row of zeros
        std::memset(onto, 0, P * width * sizeof(T));
        for (int64_t c = 0; c < size; ++c) onto[c * P] = rows[i][c];
      } else {
        Format<T>::interleave(rows[i], rows[i + P - 1], size, onto);
      }
      rows[i / P] = onto;
    }
  }

  void add_depthwise(const typename Conv<T>::Span& span, int64_t first, int64_t tap,
                     Sum<T>* sums) const {
    const int64_t channels = args.groups;
    Sum<T>* sum = sums + tap * channels;
    for (int64_t p = 0; p < span.size; ++p) {
      const T* left = x + (span.in ? span.in[p] : first + p) * channels;
      const T* right = g + (span.out ? span.out[p] : first + p) * channels;
      for (int64_t c = 0; c < channels; ++c)
        sum[c] += Format<T>::widen(left[c]) * Format<T>::widen(right[c]);
    }
  }
};

template <class T>
void weight_gradient(const ConvArgs& args) {
  const bool depthwise = args.c_in == 1 && args.c_out == 1;
  const int64_t columns = depthwise ? 1 : rounded_up(args.c_out, Vector<Sum<T>>::width);
  const int64_t taps = args.symmetric ? 2 * args.stored + 1 : args.stored;
  const int64_t matrices = taps * args.groups * args.c_in, size = matrices * columns;
  const WeightGradient<T> gradient{args, static_cast<const T*>(args.x),
                                   static_cast<const T*>(args.other), columns, taps};
  const Conv<T> pairs{args, nullptr, nullptr, nullptr, columns, 0, 0, taps};
  const int64_t row_bytes = args.groups * (args.c_in + args.c_out) * sizeof(T);
  const int64_t rows = std::max<int64_t>(kTileBytes / row_bytes, 16);
  const int64_t tiles = (args.n_out + rows - 1) / rows;
  // As many strips as keep many cores busy, whatever the number of threads; few where sums are
  // large, and then the taps are shared out as well.
  const int64_t most = kStripBytes / (size * int64_t(sizeof(Sum<T>)) + 1);
  const int64_t strips = std::max<int64_t>(std::min<int64_t>({tiles, kJobs, most}), 1);
  const int64_t parts = std::min<int64_t>(taps, (kJobs + strips - 1) / strips);
  Sum<T>* sums = aligned_array<Sum<T>>(strips * size);
#pragma omp parallel num_threads(threads_for(args)) if (threads_for(args) > 1 && strips * parts > 1)
  {
    T* spare = aligned_array<T>(kPairBlock * (args.c_in + columns));
#pragma omp for schedule(dynamic, 1)
    for (int64_t job = 0; job < strips * parts; ++job) {
      const int64_t strip = job / parts, part = job % parts;
      Sum<T>* own = sums + strip * size;
      for (int64_t number = tiles * strip / strips; number < tiles * (strip + 1) / strips; ++number) {
        const int64_t first = number * rows, last = std::min(first + rows, args.n_out);
        for (int64_t tap = taps * part / parts; tap < taps * (part + 1) / parts; ++tap) {
          const bool centre = args.symmetric && tap == args.stored;
          auto span = centre ? typename Conv<T>::Span{nullptr, nullptr, last - first}
                             : pairs.span(tap, first, last);
          if (depthwise) gradient.add_depthwise(span, first, tap, own);
          else gradient.add(span, first, tap, own, spare);
        }
      }
    }
    std::free(spare);
  }
  for (int64_t strip = 1; strip < strips; ++strip)
    for (int64_t i = 0; i < size; ++i) sums[i] += sums[strip * size + i];
  T* result = static_cast<T*>(args.result);
  for (int64_t i = 0; i < matrices; ++i)
    for (int64_t c = 0; c < args.c_out; ++c)
      result[i * args.c_out + c] = Format<T>::narrow(sums[i * columns + c]);
  std::free(sums);
}

}  // namespace

EXPORT void JOIN(rs_conv_f32_, SUFFIX)(const ConvArgs* args) { convolve<float>(*args); }
EXPORT void JOIN(rs_conv_f64_, SUFFIX)(const ConvArgs* args) { convolve<double>(*args); }
EXPORT void JOIN(rs_weight_f32_, SUFFIX)(const ConvArgs* args) { weight_gradient<float>(*args); }
EXPORT void JOIN(rs_weight_f64_, SUFFIX)(const ConvArgs* args) { weight_gradient<double>(*args); }
#if defined(__AVX512BF16__)
EXPORT void JOIN(rs_conv_bf16_, SUFFIX)(const ConvArgs* args) { convolve<bfloat16>(*args); }
EXPORT void JOIN(rs_weight_bf16_, SUFFIX)(const ConvArgs* args) { weight_gradient<bfloat16>(*args); }
#endif
