// Weight gradient: strips of tiles, each with sums of its own, added up in a fixed order.
#pragma once
#include <algorithm>

#include "formats.h"
#include "forward.h"
#include "kernels.h"

namespace {

// What the sums of several strips may take, and how many jobs add to them.
constexpr int64_t kStripBytes = int64_t(1) << 22;
constexpr int64_t kJobs = 32;

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
