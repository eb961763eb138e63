// Self-attention of channels-last tensors, in blocks of queries and keys, so that softmax(q k') is never stored whole
// (Dao 2023, arXiv:2307.08691). qkv (N,L,3C) and y (N,L,C), row-major, with C = heads times width: the row of a position
// holds q, k and v, each by head. For each head, with s = log2(e) / sqrt(width):
//
//   t[i][j] = s q[i] k[j],   m[i] = max over j of t[i][j],   r[i] = 1 / sum over j of 2^(t[i][j] - m[i])
//   p[i][j] = 2^(t[i][j] - m[i]) r[i],   y[i] = sum over j of p[i][j] v[j]
//
// Forward, m and the sums cover the keys seen so far; when m grows, the sums are scaled by 2^(old m - new m). Backward
// computes p again from m and r. From dy:
//
//   dp[i][j] = dy[i] v[j],   ds[i][j] = p[i][j] (dp[i][j] - dy[i] y[i])
//   dq[i] = sum over j of ds[i][j] k[j] / sqrt(width),   dk[j] = sum over i of ds[i][j] q[i] / sqrt(width)
//   dv[j] = sum over i of p[i][j] dy[i]
//
// qkv, y and their gradients are of type T, float or bf16. p and ds are rounded to T before they are multiplied with
// them. Sums are float. The width is 16, 32, 48 or 64.
#pragma once
#include <cstdint>

#include "simd/bf16.h"

namespace fx {

struct AttentionShape {
  int64_t samples, positions, heads, width;
};

// Whether the processor has the instructions that the kernels use, and there is a kernel for heads of this width.
bool has_attention(int64_t width, bool bfloat16);

// m and r are (samples, heads, positions).
template <class T>
void attention_forward(const AttentionShape &shape, const T *qkv, T *y, float *m, float *r);
// The result is the same to the bit for any number of threads.
template <class T>
void attention_backward(const AttentionShape &shape, const T *qkv, const T *y, const float *m, const float *r,
                        const T *dy, T *dqkv);

}  // namespace fx
