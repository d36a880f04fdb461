// Convolution along the pairs of a kernel map, compiled once for each instruction set (SUFFIX,
// VECTOR_BYTES, VECTOR_REGISTERS come from the build). The order of no sum depends on the number of
// threads, so results are equal bit for bit.
#include "forward.h"
#include "kernels.h"
#include "weight_gradient.h"

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#define EXPORT extern "C" __attribute__((visibility("default")))


EXPORT void JOIN(rs_conv_f32_, SUFFIX)(const ConvArgs* args) { convolve<float>(*args); }
EXPORT void JOIN(rs_conv_f64_, SUFFIX)(const ConvArgs* args) { convolve<double>(*args); }
EXPORT void JOIN(rs_weight_f32_, SUFFIX)(const ConvArgs* args) { weight_gradient<float>(*args); }
EXPORT void JOIN(rs_weight_f64_, SUFFIX)(const ConvArgs* args) { weight_gradient<double>(*args); }
#if defined(__AVX512BF16__)
EXPORT void JOIN(rs_conv_bf16_, SUFFIX)(const ConvArgs* args) { convolve<bfloat16>(*args); }
EXPORT void JOIN(rs_weight_bf16_, SUFFIX)(const ConvArgs* args) { weight_gradient<bfloat16>(*args); }
#endif
