// The C interface of the compiled kernels. All numbers are 64 bits wide, so that no padding of the
// structure depends on a compiler; recsparse/sparse/native.py mirrors it field by field.
#pragma once
#include <cstdint>

// Grows with every change of what the functions take or do; native.py must say the same.
constexpr int64_t kVersion = 2;

struct ConvArgs {
  const void* x;          // (n_in, groups * c_in) features of the input cells
  const void* other;      // taps (taps, groups, c_in, c_out), or gradient (n_out, groups * c_out)
  const void* bias;       // (groups * c_out) or null
  void* result;           // (n_out, groups * c_out), or taps (taps, groups, c_in, c_out)
  const int32_t* in;      // input cell of each pair
  const int32_t* out;     // output cell of each pair, rising under each tap
  const int64_t* tap_ptr; // stored + 1
  int64_t stored;         // taps whose pairs are stored
  int64_t symmetric;      // the centre and the opposite taps are implied
  int64_t repeats;        // an output cell may occur several times under one tap
  int64_t n_in, n_out;
  int64_t groups, c_in, c_out;
  int64_t threads;
};

struct MergeArgs {
  const int64_t* in_keys;   // rising
  const int64_t* out_keys;  // rising
  const int64_t* offsets;   // one a tap: in_key = out_key + offset
  int64_t n_in, n_out, taps;
  int64_t* counts;          // (chunks, taps): pairs found
  const int64_t* starts;    // (chunks, taps): where to write them
  int32_t** kept;           // (chunks): the pairs of a chunk, tap by tap, until they are written
  int32_t* in;
  int32_t* out;
  int64_t threads;
};

struct KeyArgs {
  const int64_t* coords;   // (n, axes), the sample in column 0
  const int64_t* weights;  // key = sum over axes: coordinate * weight
  int64_t* keys;
  int64_t n, axes;
  int64_t threads;
};
