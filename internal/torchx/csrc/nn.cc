// Layers.
#include <array>

#include "guard.h"
#include "norm_silu_cuda.h"

using namespace fx;

// An odd square kernel, stride 1, output as large as the input.
fx_error fx_conv2d(fx_tensor x, fx_tensor w, fx_tensor b, bool periodic, fx_tensor *out) {
  return give(out, [&] {
    const int64_t pad = w->size(-1) / 2;
    if (!periodic || pad == 0) return at::conv2d(*x, *w, maybe(b), 1, pad);
    return at::conv2d(at::pad(*x, {pad, pad, pad, pad}, "circular"), *w, maybe(b));
  });
}

fx_error fx_linear(fx_tensor x, fx_tensor w, fx_tensor b, fx_tensor *out) {
  return give(out, [&] { return at::linear(*x, *w, maybe(b)); });
}

fx_error fx_group_norm(fx_tensor x, int64_t groups, fx_tensor w, fx_tensor b, double eps, fx_tensor *out) {
  return give(out, [&] {
    if (has_cuda_norm(*x, *w, *b)) return cuda_norm(*x, groups, *w, *b, eps, std::nullopt, /*silu=*/false);
    return at::group_norm(*x, groups, maybe(w), maybe(b), eps);
  });
}

fx_error fx_silu(fx_tensor x, fx_tensor *out) {
  return give(out, [&] { return at::silu(*x); });
}

// q, k, v (N, heads, positions, channels): softmax(q k' / sqrt(channels)) v. The channels of a
// position must lie side by side, or libtorch falls back on keeping all of softmax(q k'), which is
// many times slower and of positions^2 memory.
fx_error fx_attention(fx_tensor q, fx_tensor k, fx_tensor v, fx_tensor *out) {
  return give(out, [&] {
    auto side_by_side = [](const at::Tensor &x) { return x.stride(-1) == 1 ? x : x.contiguous(); };
    return at::scaled_dot_product_attention(side_by_side(*q), side_by_side(*k), side_by_side(*v));
  });
}

fx_error fx_avg_pool2d(fx_tensor x, int64_t factor, fx_tensor *out) {
  return give(out, [&] { return at::avg_pool2d(*x, factor); });
}

static std::array<int64_t, 2> scaled(const at::Tensor &x, int64_t factor) {
  return {x.size(-2) * factor, x.size(-1) * factor};
}

fx_error fx_upsample_nearest2d(fx_tensor x, int64_t factor, fx_tensor *out) {
  return give(out, [&] { return at::upsample_nearest2d(*x, scaled(*x, factor)); });
}

fx_error fx_upsample_bilinear2d(fx_tensor x, int64_t factor, fx_tensor *out) {
  return give(out, [&] { return at::upsample_bilinear2d(*x, scaled(*x, factor), /*align_corners=*/false); });
}

// In float32 at the least, whatever autocast is doing.
fx_error fx_mse(fx_tensor a, fx_tensor b, fx_tensor *out) {
  return give(out, [&] {
    auto widen = [](const at::Tensor &x) { return x.scalar_type() == at::kBFloat16 ? x.to(at::kFloat) : x; };
    return at::mse_loss(widen(*a), widen(*b));
  });
}

// |fft2(x) / (H W)|^2 over the half plane that rfft2 keeps: (..., H, W/2+1).
fx_error fx_power_spectrum2d(fx_tensor x, fx_tensor *out) {
  return give(out, [&] {
    auto f = at::view_as_real(at::fft_rfft2(*x, std::nullopt, {-2, -1}, "forward"));
    return f.square().sum(-1);
  });
}
