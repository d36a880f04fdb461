// The pairs of a kernel map: for each tap a merge of two rising lists of keys, without branches.
#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "kernels.h"

constexpr int64_t kChunk = 4096;  // output cells a unit of work; native.py allots its counts by it

#define EXPORT extern "C" __attribute__((visibility("default")))

EXPORT void rs_keys(const KeyArgs* args) {
  const KeyArgs a = *args;
#pragma omp parallel for num_threads(a.threads) if (a.threads > 1 && a.n > 16384)
  for (int64_t i = 0; i < a.n; ++i) {
    int64_t key = 0;
    for (int64_t d = 0; d < a.axes; ++d) key += a.coords[i * a.axes + d] * a.weights[d];
    a.keys[i] = key;
  }
}

// Finds the pairs of one tap in a chunk of at most kChunk output cells.
static int64_t merge(const MergeArgs& a, int64_t first, int64_t last, int64_t offset, int32_t* in,
                     int32_t* out) {
  int64_t j = std::lower_bound(a.in_keys, a.in_keys + a.n_in, a.out_keys[first] + offset) - a.in_keys;
  int64_t i = first, found = 0;
  while (i < last && j < a.n_in) {
    const int64_t wanted = a.out_keys[i] + offset, key = a.in_keys[j];
    in[found] = static_cast<int32_t>(j);
    out[found] = static_cast<int32_t>(i);
    found += key == wanted;
    i += key >= wanted;
    j += key <= wanted;
  }
  return found;
}

// Finds all pairs; they are kept aside, chunk by chunk, until it is known where each belongs.
EXPORT void rs_merge(const MergeArgs* args) {
  const MergeArgs a = *args;
  const int64_t chunks = (a.n_out + kChunk - 1) / kChunk;
#pragma omp parallel num_threads(a.threads) if (a.threads > 1 && chunks > 1)
  {
    // One slot more than a chunk: the slot after the last pair is written too.
    int32_t* found_pairs = static_cast<int32_t*>(std::malloc(a.taps * 2 * (kChunk + 1) * sizeof(int32_t)));
#pragma omp for schedule(dynamic, 1)
    for (int64_t chunk = 0; chunk < chunks; ++chunk) {
      const int64_t first = chunk * kChunk, last = std::min(first + kChunk, a.n_out);
      int64_t* counts = a.counts + chunk * a.taps;
      int64_t total = 0;
      for (int64_t tap = 0; tap < a.taps; ++tap) {
        int32_t in[kChunk + 1];
        counts[tap] = merge(a, first, last, a.offsets[tap], in, found_pairs + 2 * total + kChunk + 1);
        // Inputs first, outputs behind them.
        std::memmove(found_pairs + 2 * total + counts[tap], found_pairs + 2 * total + kChunk + 1,
                     counts[tap] * sizeof(int32_t));
        std::memcpy(found_pairs + 2 * total, in, counts[tap] * sizeof(int32_t));
        total += counts[tap];
      }
      a.kept[chunk] = static_cast<int32_t*>(std::malloc((2 * total + 1) * sizeof(int32_t)));
      std::memcpy(a.kept[chunk], found_pairs, 2 * total * sizeof(int32_t));
    }
    std::free(found_pairs);
  }
}

// Writes the pairs where `starts` says, and frees what was kept.
EXPORT void rs_merge_write(const MergeArgs* args) {
  const MergeArgs a = *args;
  const int64_t chunks = (a.n_out + kChunk - 1) / kChunk;
#pragma omp parallel for num_threads(a.threads) if (a.threads > 1 && chunks > 1)
  for (int64_t chunk = 0; chunk < chunks; ++chunk) {
    const int32_t* pairs = a.kept[chunk];
    for (int64_t tap = 0; tap < a.taps; ++tap) {
      const int64_t count = a.counts[chunk * a.taps + tap], start = a.starts[chunk * a.taps + tap];
      std::memcpy(a.in + start, pairs, count * sizeof(int32_t));
      std::memcpy(a.out + start, pairs + count, count * sizeof(int32_t));
      pairs += 2 * count;
    }
    std::free(a.kept[chunk]);
  }
}

EXPORT int64_t rs_version() { return kVersion; }

// The instruction sets of this processor: 1 AVX2 with FMA, 2 AVX-512, 4 AVX-512 bfloat16.
EXPORT int64_t rs_features() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  int64_t found = 0;
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) found |= 1;
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq"))
    found |= 2;
  if ((found & 2) && __builtin_cpu_supports("avx512bf16")) found |= 4;
  return found;
#else
  return 0;
#endif
}
