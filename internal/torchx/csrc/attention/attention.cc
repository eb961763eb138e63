// Self-attention. Channels-last tensors on the CPU take an autograd function of our own kernels. libtorch's attention
// does the rest: other devices and layouts, float64, and heads of other widths.
#include <ATen/autocast_mode.h>
#include <torch/csrc/autograd/custom_function.h>

#include "attention.h"
#include "core/channels_last.h"
#include "core/guard.h"

using namespace fx;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

bool has_attention_kernel(const at::Tensor &qkv, int64_t heads) {
  const bool bfloat16 = qkv.scalar_type() == at::kBFloat16;
  const bool wide = qkv.scalar_type() == at::kFloat && !at::autocast::is_autocast_enabled(at::kCPU);
  return qkv.device().is_cpu() && qkv.is_contiguous(channels_last) && (bfloat16 || wide) &&
         has_attention(qkv.size(1) / (3 * heads), bfloat16);
}

struct SelfAttention : torch::autograd::Function<SelfAttention> {
  static at::Tensor forward(AutogradContext *ctx, const at::Tensor &qkv, int64_t heads) {
    const int64_t n = qkv.size(0), h = qkv.size(2), w = qkv.size(3);
    auto y = at::empty({n, qkv.size(1) / 3, h, w}, qkv.options().memory_format(channels_last));
    auto m = at::empty({n, heads, h * w}, qkv.options().dtype(at::kFloat)), r = at::empty_like(m);
    const auto shape = shape_of(qkv, heads);
    with_type(qkv, [&](auto *type) {
      using T = std::remove_pointer_t<decltype(type)>;
      attention_forward(shape, data<T>(qkv), data<T>(y), data<float>(m), data<float>(r));
    });
    ctx->save_for_backward({qkv, y, m, r});
    ctx->saved_data["heads"] = heads;
    return y;
  }

  static variable_list backward(AutogradContext *ctx, variable_list grads) {
    auto saved = ctx->get_saved_variables();
    const auto &qkv = saved[0], &y = saved[1], &m = saved[2], &r = saved[3];
    auto dy = grads[0].to(qkv.scalar_type()).contiguous(channels_last);
    auto dqkv = at::empty_like(qkv);
    const auto shape = shape_of(qkv, ctx->saved_data["heads"].toInt());
    with_type(qkv, [&](auto *type) {
      using T = std::remove_pointer_t<decltype(type)>;
      attention_backward(shape, data<T>(qkv), data<T>(y), data<float>(m), data<float>(r), data<T>(dy), data<T>(dqkv));
    });
    return {dqkv, {}};
  }

 private:
  static AttentionShape shape_of(const at::Tensor &qkv, int64_t heads) {
    return {qkv.size(0), qkv.size(2) * qkv.size(3), heads, qkv.size(1) / (3 * heads)};
  }
};

// By libtorch. The channels of a position have to be contiguous: otherwise libtorch computes and keeps all of
// softmax(q k'), which is many times slower and takes memory of positions^2.
at::Tensor composed_attention(const at::Tensor &qkv, int64_t heads) {
  const int64_t n = qkv.size(0), h = qkv.size(2), w = qkv.size(3);
  auto rows = qkv.reshape({n, 3 * heads, qkv.size(1) / (3 * heads), h * w}).transpose(2, 3);
  auto third = [&](int64_t i) {
    auto x = rows.narrow(1, i * heads, heads);
    return x.stride(-1) == 1 ? x : x.contiguous();
  };
  auto y = at::scaled_dot_product_attention(third(0), third(1), third(2));
  return y.transpose(2, 3).reshape({n, qkv.size(1) / 3, h, w});
}

}  // namespace

// qkv (N,3C,H,W) holds q, k and v, each by head. The result is softmax(q k' / sqrt(channels of a head)) v over all
// positions, (N,C,H,W).
fx_error fx_self_attention(fx_tensor qkv, int64_t heads, fx_tensor *out) {
  return give(out, [&] {
    TORCH_CHECK(qkv->dim() == 4 && heads > 0 && qkv->size(1) % (3 * heads) == 0, "q, k and v of ", heads,
                " heads in shape ", qkv->sizes(), ", want (N,3C,H,W)");
    return has_attention_kernel(*qkv, heads) ? SelfAttention::apply(*qkv, heads) : composed_attention(*qkv, heads);
  });
}
