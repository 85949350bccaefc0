#pragma once
#include "ir/tensor.h"

namespace tenon {

/// c[m,n] += a[m,k] b[k,n], row-major.
void AccumulateProduct(int64_t m, int64_t n, int64_t k, const double* a, const double* b, double* c);

/// a [...,M,K] times b [...,K,N], both f64 of rank >= 2 with broadcasting batch dimensions; shapes must fit.
Tensor BatchedProduct(const Tensor& a, const Tensor& b);

/// exp(x - max) / sum of it along the axis [outer, size, inner], in place; with `log`, its logarithm.
enum class SoftmaxForm { kProbability, kLogProbability };
void SoftmaxInPlace(double* data, int64_t outer, int64_t size, int64_t inner, SoftmaxForm form);

}  // namespace tenon
