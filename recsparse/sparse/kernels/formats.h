// Numbers of each type: how many a register holds, how they are multiplied and packed.
// VECTOR_BYTES and VECTOR_REGISTERS come from the build.
#pragma once
#include <cstdint>
#include <cstdlib>
#include <cstring>
#if defined(__AVX512BF16__)
#include <immintrin.h>
#endif

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

}  // namespace
