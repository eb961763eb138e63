// GroupNorm, FiLM and SiLU for channels-last x (N,cells,C); norm_silu.h has the maths. Forward makes three passes over
// memory (read, read, write), backward five:
//
//   forward    forward_sums: per channel, sums of x - k and (x - k)^2   -> partial (N,chunks,C)
//              close_groups: mean and 1/deviation of each group
//              forward_cells: y
//   backward   backward_sums: per channel, sums of dz and dz xhat        -> partial (N,chunks,C)
//              close_groups: S, T, dfilm, and each group's two means
//              sum_samples: dw, db
//              backward_cells: dx, with dz computed again
//
// Sums are float32 over the few cells of a block and float64 over the blocks, always in the same order. Subtracting k,
// the first value of the group, keeps the squares accurate for fields far from zero.
#include "table.h"
#include "launch.h"

namespace fx {
namespace {

__device__ float widen(float x) { return x; }
__device__ float widen(__nv_bfloat16 x) { return __bfloat162float(x); }
template <class T>
__device__ T narrow(float x);
template <>
__device__ float narrow(float x) {
  return x;
}
template <>
__device__ __nv_bfloat16 narrow(float x) {
  return __float2bfloat16_rn(x);
}

// V channels of a cell, moved as one.
template <class T, int V>
struct alignas(sizeof(T) * V) Vector {
  T at[V];
};

// How blocks and threads divide x. blockIdx.x is a chunk of a sample's cells, blockIdx.y the sample and blockIdx.z a part
// of its channels. In a block, `lanes` threads cover the channels, V each, and `rows` such groups of threads take the
// cells in turn.
struct Tiling {
  CudaNorm norm;
  int lanes, rows, chunks, parts;
  int64_t span;  // cells of a chunk
  __host__ __device__ int64_t width() const { return norm.channels / norm.groups; }
};

template <int V>
Tiling tiling(const CudaNorm &norm) {
  Tiling t{norm, 0, 0, 0, 0, 0};
  const int64_t vectors = norm.channels / V;
  t.lanes = static_cast<int>(vectors < threads ? vectors : threads);
  t.rows = threads / t.lanes;
  t.parts = static_cast<int>((vectors + t.lanes - 1) / t.lanes);
  // some blocks for each multiprocessor, and some cells for each thread
  const int64_t wanted = 1024 / (norm.samples * t.parts), most = norm.cells / (4 * t.rows);
  int64_t chunks = wanted < most ? wanted : most;
  if (chunks < 1) chunks = 1;
  t.span = (norm.cells + chunks - 1) / chunks;
  t.chunks = static_cast<int>((norm.cells + t.span - 1) / t.span);
  return t;
}

dim3 grid(const Tiling &t) {
  return dim3(static_cast<unsigned>(t.chunks), static_cast<unsigned>(t.norm.samples), static_cast<unsigned>(t.parts));
}

// The part of x that a thread works on: its sample, its first channel and its cells.
struct Place {
  int64_t sample, channel, begin, end;
  int rows;
  bool idle;
  __device__ Place(const Tiling &t, int V)
      : sample(blockIdx.y),
        channel((static_cast<int64_t>(blockIdx.z) * t.lanes + threadIdx.x % t.lanes) * V),
        begin(blockIdx.x * t.span + threadIdx.x / t.lanes),
        end((blockIdx.x + 1) * t.span < t.norm.cells ? (blockIdx.x + 1) * t.span : t.norm.cells),
        rows(t.rows),
        idle(threadIdx.x / t.lanes >= static_cast<unsigned>(t.rows) || channel >= t.norm.channels) {}
  // Calls body(index of the vector in x) for each cell of the thread.
  template <class Body>
  __device__ void each_cell(const CudaNorm &s, int V, Body body) const {
    if (idle) return;
#pragma unroll 4
    for (int64_t cell = begin; cell < end; cell += rows) body(((sample * s.cells + cell) * s.channels + channel) / V);
  }
};

// FiLM's factor, 1 + scale, and its shift, of a channel.
__device__ float film_scale(const CudaNorm &s, int64_t sample, int64_t channel) {
  return s.film ? 1 + s.film[sample * 2 * s.channels + channel] : 1;
}
__device__ float film_shift(const CudaNorm &s, int64_t sample, int64_t channel) {
  return s.film ? s.film[(sample * 2 + 1) * s.channels + channel] : 0;
}

// The coefficients of a channel: z = a x + b and xhat = rstd x + c.
struct Line {
  float a, b, rstd, c;
  __device__ Line() {}
  __device__ Line(const CudaNorm &s, int64_t sample, int64_t channel, const float *mean, const float *rstds) {
    const int64_t group = sample * s.groups + channel / (s.channels / s.groups);
    const float scale = film_scale(s, sample, channel);
    rstd = rstds[group];
    a = rstd * s.w[channel] * scale;
    b = s.b[channel] * scale + film_shift(s, sample, channel) - mean[group] * a;
    c = -mean[group] * rstd;
  }
};

__device__ float sigmoid(float z) { return __fdividef(1.0f, 1.0f + expf(-z)); }

// y of z, and its derivative.
__device__ float activation(bool silu, float z) { return silu ? z * sigmoid(z) : z; }
__device__ float slope(bool silu, float z) {
  const float s = sigmoid(z);
  return silu ? s * (1.0f + z * (1.0f - s)) : 1.0f;
}

// k of a group; see the top of this file.
template <class T>
__device__ float origin(const CudaNorm &s, const T *x, int64_t sample, int64_t group) {
  return widen(x[sample * s.cells * s.channels + group * (s.channels / s.groups)]);
}

// Adds the threads' pairs of sums over the block's cells and writes one pair for each channel to partial.
template <int V>
__device__ void sum_rows(const Tiling &t, const float2 (&mine)[V], float2 *partial) {
  __shared__ float2 all[threads * V];
  for (int v = 0; v < V; v++) all[threadIdx.x * V + v] = mine[v];
  __syncthreads();
  const int row = t.lanes * V;
  float2 *out = partial + (blockIdx.y * static_cast<int64_t>(t.chunks) + blockIdx.x) * t.norm.channels;
  for (int i = threadIdx.x; i < row; i += threads) {
    const int64_t channel = static_cast<int64_t>(blockIdx.z) * row + i;
    if (channel >= t.norm.channels) break;
    float2 sum = make_float2(0, 0);
    for (int r = 0; r < t.rows; r++) sum.x += all[r * row + i].x, sum.y += all[r * row + i].y;
    out[channel] = sum;
  }
}

template <class T, int V>
__global__ void __launch_bounds__(threads) forward_sums(Tiling t, const T *x, float2 *partial) {
  const Place place(t, V);
  float k[V];
  float2 sums[V] = {};
  for (int v = 0; v < V && !place.idle; v++)
    k[v] = origin(t.norm, x, place.sample, (place.channel + v) / t.width());
  place.each_cell(t.norm, V, [&](int64_t at) {
    const auto in = reinterpret_cast<const Vector<T, V> *>(x)[at];
    for (int v = 0; v < V; v++) {
      const float d = widen(in.at[v]) - k[v];
      sums[v].x += d;
      sums[v].y += d * d;
    }
  });
  sum_rows<V>(t, sums, partial);
}

template <class T, int V>
__global__ void __launch_bounds__(threads) forward_cells(Tiling t, const T *x, const float *mean,
                                                         const float *rstd, T *y) {
  const Place place(t, V);
  Line line[V];
  for (int v = 0; v < V && !place.idle; v++)
    line[v] = Line(t.norm, place.sample, place.channel + v, mean, rstd);
  place.each_cell(t.norm, V, [&](int64_t at) {
    const auto in = reinterpret_cast<const Vector<T, V> *>(x)[at];
    Vector<T, V> out;
    for (int v = 0; v < V; v++) {
      out.at[v] = narrow<T>(activation(t.norm.silu, line[v].a * widen(in.at[v]) + line[v].b));
    }
    reinterpret_cast<Vector<T, V> *>(y)[at] = out;
  });
}

template <class T, int V>
__global__ void __launch_bounds__(threads) backward_sums(Tiling t, const T *x, const T *dy, const float *mean,
                                                         const float *rstd, float2 *partial) {
  const Place place(t, V);
  Line line[V];
  float2 sums[V] = {};
  for (int v = 0; v < V && !place.idle; v++)
    line[v] = Line(t.norm, place.sample, place.channel + v, mean, rstd);
  place.each_cell(t.norm, V, [&](int64_t at) {
    const auto in = reinterpret_cast<const Vector<T, V> *>(x)[at];
    const auto back = reinterpret_cast<const Vector<T, V> *>(dy)[at];
    for (int v = 0; v < V; v++) {
      const float xv = widen(in.at[v]);
      const float dz = widen(back.at[v]) * slope(t.norm.silu, line[v].a * xv + line[v].b);
      sums[v].x += dz;
      sums[v].y += dz * (line[v].rstd * xv + line[v].c);
    }
  });
  sum_rows<V>(t, sums, partial);
}

// means (N,groups) are <gamma dz> and <gamma dz xhat>.
template <class T, int V>
__global__ void __launch_bounds__(threads) backward_cells(Tiling t, const T *x, const T *dy, const float *mean,
                                                          const float *rstd, const float2 *means, T *dx) {
  const Place place(t, V);
  Line line[V];
  float2 m[V];
  for (int v = 0; v < V && !place.idle; v++) {
    line[v] = Line(t.norm, place.sample, place.channel + v, mean, rstd);
    m[v] = means[place.sample * t.norm.groups + (place.channel + v) / t.width()];
  }
  place.each_cell(t.norm, V, [&](int64_t at) {
    const auto in = reinterpret_cast<const Vector<T, V> *>(x)[at];
    const auto back = reinterpret_cast<const Vector<T, V> *>(dy)[at];
    Vector<T, V> out;
    for (int v = 0; v < V; v++) {
      const Line &l = line[v];
      const float xv = widen(in.at[v]);
      const float dz = widen(back.at[v]) * slope(t.norm.silu, l.a * xv + l.b);
      out.at[v] = narrow<T>(l.a * dz - l.rstd * (m[v].x + (l.rstd * xv + l.c) * m[v].y));
    }
    reinterpret_cast<Vector<T, V> *>(dx)[at] = out;
  });
}

// Sums over the chunks of each channel, then over the channels of a group; a block does one group.
// close.channel(norm, sample, channel, sum) returns what the channel adds to its group, and close.group(norm, sample,
// group, sum) takes the group's sum.
template <class Close>
__global__ void __launch_bounds__(threads) close_groups(Tiling t, const float2 *partial, Close close) {
  __shared__ double2 of_warp[warps];
  const int64_t sample = blockIdx.y, group = blockIdx.x, channels = t.norm.channels, width = t.width();
  const int lane = threadIdx.x % warp, mine = threadIdx.x / warp;
  double2 total = make_double2(0, 0);
  for (int64_t first = 0; first < width; first += warps) {  // every warp makes the same number of rounds
    const int64_t in_group = first + mine, channel = group * width + in_group;
    double2 sum = make_double2(0, 0);
    for (int64_t chunk = lane; in_group < width && chunk < t.chunks; chunk += warp) {
      const float2 p = partial[(sample * t.chunks + chunk) * channels + channel];
      sum.x += p.x, sum.y += p.y;
    }
    sum.x = warp_sum(sum.x), sum.y = warp_sum(sum.y);
    if (lane == 0 && in_group < width) {
      const double2 adds = close.channel(t.norm, sample, channel, sum);
      total.x += adds.x, total.y += adds.y;
    }
  }
  if (lane == 0) of_warp[mine] = total;
  __syncthreads();
  if (threadIdx.x != 0) return;
  for (int w = 1; w < warps; w++) total.x += of_warp[w].x, total.y += of_warp[w].y;
  close.group(t.norm, sample, group, total);
}

template <class T>
struct CloseForward {
  const T *x;
  float *mean, *rstd;
  __device__ double2 channel(const CudaNorm &, int64_t, int64_t, double2 sum) const { return sum; }
  __device__ void group(const CudaNorm &s, int64_t sample, int64_t group, double2 sum) const {
    const double n = static_cast<double>(s.channels / s.groups * s.cells);
    const double offset = sum.x / n, variance = sum.y / n - offset * offset;
    mean[sample * s.groups + group] = static_cast<float>(origin(s, x, sample, group) + offset);
    // round-off may have made it negative; NaN stays NaN
    rstd[sample * s.groups + group] = static_cast<float>(1 / sqrt((variance < 0 ? 0 : variance) + s.eps));
  }
};

// sums (N,C) are S and T of each channel; means (N,groups) are the two means that backward_cells reads.
struct CloseBackward {
  float2 *sums, *means;
  float *dfilm;
  __device__ double2 channel(const CudaNorm &s, int64_t sample, int64_t channel, double2 sum) const {
    const double scale = film_scale(s, sample, channel), gamma = s.w[channel] * scale;
    sums[sample * s.channels + channel] =
        make_float2(static_cast<float>(scale * sum.x), static_cast<float>(scale * sum.y));
    if (dfilm) {
      dfilm[sample * 2 * s.channels + channel] = static_cast<float>(s.w[channel] * sum.y + s.b[channel] * sum.x);
      dfilm[(sample * 2 + 1) * s.channels + channel] = static_cast<float>(sum.x);
    }
    return make_double2(gamma * sum.x, gamma * sum.y);
  }
  __device__ void group(const CudaNorm &s, int64_t sample, int64_t group, double2 sum) const {
    const double n = static_cast<double>(s.channels / s.groups * s.cells);
    means[sample * s.groups + group] = make_float2(static_cast<float>(sum.x / n), static_cast<float>(sum.y / n));
  }
};

// dw and db of one channel, by one thread.
__global__ void __launch_bounds__(threads) sum_samples(CudaNorm s, const float2 *sums, float *dw, float *db) {
  const int64_t channel = static_cast<int64_t>(blockIdx.x) * threads + threadIdx.x;
  if (channel >= s.channels) return;
  float2 total = make_float2(0, 0);
  for (int64_t n = 0; n < s.samples; n++) {
    total.x += sums[n * s.channels + channel].x;
    total.y += sums[n * s.channels + channel].y;
  }
  db[channel] = total.x;
  dw[channel] = total.y;
}

template <class Close>
void close_all(const Tiling &t, const float2 *partial, const Close &close, void *stream) {
  launch("close_groups", close_groups<Close>,
         dim3(static_cast<unsigned>(t.norm.groups), static_cast<unsigned>(t.norm.samples)), stream, t, partial, close);
}

// The layout of the scratch memory.
struct Scratch {
  float2 *means, *sums, *partial;
  int64_t bytes;
  Scratch(const Tiling &t, void *at) {
    const CudaNorm &s = t.norm;
    means = static_cast<float2 *>(at);
    sums = means + s.samples * s.groups;
    partial = sums + s.samples * s.channels;
    bytes = (s.samples * (s.groups + s.channels + t.chunks * s.channels)) * static_cast<int64_t>(sizeof(float2));
  }
};

template <class T, int V>
void forward(const CudaNorm &norm, const void *x, void *y, float *mean, float *rstd, void *scratch, void *stream) {
  const auto t = tiling<V>(norm);
  const auto *in = static_cast<const T *>(x);
  float2 *partial = Scratch(t, scratch).partial;
  launch("forward_sums", forward_sums<T, V>, grid(t), stream, t, in, partial);
  close_all(t, partial, CloseForward<T>{in, mean, rstd}, stream);
  launch("forward_cells", forward_cells<T, V>, grid(t), stream, t, in, mean, rstd, static_cast<T *>(y));
}

template <class T, int V>
void backward(const CudaNorm &norm, const void *x, const void *dy, const float *mean, const float *rstd, void *dx,
              float *dw, float *db, float *dfilm, void *scratch, void *stream) {
  const auto t = tiling<V>(norm);
  const auto *in = static_cast<const T *>(x), *back = static_cast<const T *>(dy);
  const Scratch in_scratch(t, scratch);
  launch("backward_sums", backward_sums<T, V>, grid(t), stream, t, in, back, mean, rstd, in_scratch.partial);
  close_all(t, in_scratch.partial, CloseBackward{in_scratch.sums, in_scratch.means, dfilm}, stream);
  launch("sum_samples", sum_samples, dim3(static_cast<unsigned>((norm.channels + threads - 1) / threads)), stream, norm,
         in_scratch.sums, dw, db);
  launch("backward_cells", backward_cells<T, V>, grid(t), stream, t, in, back, mean, rstd, in_scratch.means,
         static_cast<T *>(dx));
}

// Calls body with the element type and the number of elements that are moved at once: 16 bytes if the channels allow it.
template <class Body>
auto with_vectors(const CudaNorm &norm, Body body) {
  const bool whole = norm.channels % (norm.bf16 ? 8 : 4) == 0;
  if (norm.bf16) {
    const __nv_bfloat16 *type = nullptr;
    return whole ? body(type, std::integral_constant<int, 8>()) : body(type, std::integral_constant<int, 1>());
  }
  const float *type = nullptr;
  return whole ? body(type, std::integral_constant<int, 4>()) : body(type, std::integral_constant<int, 1>());
}

template <class P>
using element = std::remove_const_t<std::remove_pointer_t<P>>;

}  // namespace

int64_t norm_scratch(const CudaNorm &norm) {
  return with_vectors(norm, [&](auto, auto v) { return Scratch(tiling<decltype(v)::value>(norm), nullptr).bytes; });
}

void norm_forward(const CudaNorm &norm, const void *x, void *y, float *mean, float *rstd, void *scratch, void *stream) {
  with_vectors(norm, [&](auto type, auto v) {
    forward<element<decltype(type)>, decltype(v)::value>(norm, x, y, mean, rstd, scratch, stream);
  });
}

void norm_backward(const CudaNorm &norm, const void *x, const void *dy, const float *mean, const float *rstd, void *dx,
                   float *dw, float *db, float *dfilm, void *scratch, void *stream) {
  with_vectors(norm, [&](auto type, auto v) {
    backward<element<decltype(type)>, decltype(v)::value>(norm, x, dy, mean, rstd, dx, dw, db, dfilm, scratch, stream);
  });
}

}  // namespace fx
