// Forward: a tile of output rows stays in the second-level cache while every tap adds to it; a
// block of rows is gathered into registers, multiplied by the tap's matrix and added.
#pragma once
#include <algorithm>

#include "formats.h"
#include "kernels.h"

namespace {

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

}  // namespace
