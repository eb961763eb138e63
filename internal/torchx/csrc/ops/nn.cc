// Layers, as libtorch has them.
#include <array>

#include "core/guard.h"

using namespace fx;

fx_error fx_silu(fx_tensor x, fx_tensor *out) {
  return give(out, [&] { return at::silu(*x); });
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

// bf16 inputs are widened to float32 first, inside autocast too.
fx_error fx_mse(fx_tensor a, fx_tensor b, fx_tensor *out) {
  return give(out, [&] {
    auto widen = [](const at::Tensor &x) { return x.scalar_type() == at::kBFloat16 ? x.to(at::kFloat) : x; };
    return at::mse_loss(widen(*a), widen(*b));
  });
}

// x (...,H,W): |fft2(x) / (H W)|^2 over the half plane that rfft2 keeps, (...,H,W/2+1).
fx_error fx_power_spectrum2d(fx_tensor x, fx_tensor *out) {
  return give(out, [&] {
    auto f = at::view_as_real(at::fft_rfft2(*x, std::nullopt, {-2, -1}, "forward"));
    return f.square().sum(-1);
  });
}
