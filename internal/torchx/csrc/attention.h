// Self-attention of channels-last tensors, in blocks of queries and keys, so that softmax(q k') is never kept (Dao 2023,
// arXiv:2307.08691). A position's row of qkv is q, k and v, each of heads times width channels, and its row of y is of
// heads times width: qkv (N,L,3C), y (N,L,C), row-major. Of each head, with s = log2(e) / sqrt(width):
//
//   t[i][j] = s q[i] k[j],   m[i] = max over j of t[i][j],   r[i] = 1 / sum over j of 2^(t[i][j] - m[i])
//   p[i][j] = 2^(t[i][j] - m[i]) r[i],   y[i] = sum over j of p[i][j] v[j]
//
// m and the sums are of the keys seen so far; when m grows, the sums are scaled by 2^(its old value - its new one).
// Backward makes p anew from m and r. From dy:
//
//   dp[i][j] = dy[i] v[j],   ds[i][j] = p[i][j] (dp[i][j] - dy[i] y[i])
//   dq[i] = sum over j of ds[i][j] k[j] / sqrt(width),   dk[j] = sum over i of ds[i][j] q[i] / sqrt(width)
//   dv[j] = sum over i of p[i][j] dy[i]
//
// qkv, y and their gradients are T, float or bfloat16's bits, to which p and ds are rounded where they meet them; sums
// are float. The width is 16, 32, 48 or 64.
#pragma once
#include <cstdint>

#include "bf16.h"

namespace fx {

struct AttentionShape {
  int64_t samples, positions, heads, width;
};

// Whether the processor has what the kernels are written for, and they this width.
bool has_attention(int64_t width, bool bfloat16);

// m and r are (samples, heads, positions).
template <class T>
void attention_forward(const AttentionShape &shape, const T *qkv, T *y, float *m, float *r);
// The same to the bit however many threads there are.
template <class T>
void attention_backward(const AttentionShape &shape, const T *qkv, const T *y, const float *m, const float *r,
                        const T *dy, T *dqkv);

}  // namespace fx
