// Convolution as an autograd function of our own kernels for channels-last tensors on the CPU; libtorch's elsewhere,
// for float64, and for widths that are not multiples of 16.
#include "conv.h"

#include <ATen/autocast_mode.h>
#include <torch/csrc/autograd/custom_function.h>

#include "guard.h"

using namespace fx;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

constexpr auto format = at::MemoryFormat::ChannelsLast;

// The type that x meets the weights in.
at::ScalarType type_of(const at::Tensor &x) {
  return at::autocast::is_autocast_enabled(at::kCPU) ? at::autocast::get_autocast_dtype(at::kCPU) : x.scalar_type();
}

bool has_kernel(const at::Tensor &x, const at::Tensor &w, fx_tensor b) {
  const auto type = type_of(x);
  return x.device().is_cpu() && x.dim() == 4 && w.dim() == 4 && x.is_contiguous(format) && w.is_contiguous(format) &&
         x.size(1) == w.size(1) && w.size(0) % 16 == 0 && w.size(1) % 16 == 0 && w.scalar_type() == at::kFloat && b &&
         b->scalar_type() == at::kFloat && b->is_contiguous() && b->sizes() == at::IntArrayRef{w.size(0)} &&
         (w.size(2) == 1 || w.size(2) == 3) && w.size(2) == w.size(3) &&
         (type == at::kFloat || type == at::kBFloat16) && has_conv(type == at::kBFloat16);
}

// Whether the kernel can add it to what it gives.
bool can_add(const at::Tensor &r, const at::Tensor &x, const at::Tensor &w) {
  return r.scalar_type() == type_of(x) && r.is_contiguous(format) &&
         r.sizes() == at::IntArrayRef({x.size(0), w.size(0), x.size(2), x.size(3)});
}

template <class T>
T *data(const at::Tensor &x) {
  return x.defined() ? static_cast<T *>(x.data_ptr()) : nullptr;
}

struct Conv : torch::autograd::Function<Conv> {
  static at::Tensor forward(AutogradContext *ctx, const at::Tensor &input, const at::Tensor &w, const at::Tensor &b,
                            const std::optional<at::Tensor> &maybe_r, bool periodic) {
    const auto r = maybe_r.value_or(at::Tensor());
    auto x = input.to(type_of(input));
    auto y = at::empty({x.size(0), w.size(0), x.size(2), x.size(3)}, x.options().memory_format(format));
    const auto shape = shape_of(x, w, periodic);
    if (x.scalar_type() == at::kFloat)
      conv_forward(shape, data<float>(x), data<float>(w), data<float>(b), data<float>(r), data<float>(y));
    else
      conv_forward(shape, data<bf16>(x), data<float>(w), data<float>(b), data<bf16>(r), data<bf16>(y));
    ctx->save_for_backward({x, w, b});
    ctx->saved_data["periodic"] = periodic;
    ctx->saved_data["added"] = r.defined();
    ctx->saved_data["type"] = input.scalar_type();
    return y;
  }

  static variable_list backward(AutogradContext *ctx, variable_list grads) {
    auto saved = ctx->get_saved_variables();
    const auto &x = saved[0], &w = saved[1];
    auto dy = grads[0].to(x.scalar_type()).contiguous(format);
    auto dx = at::empty_like(x), dw = at::empty_like(w), db = at::empty_like(saved[2]);
    const auto shape = shape_of(x, w, ctx->saved_data["periodic"].toBool());
    if (x.scalar_type() == at::kFloat)
      backward_of<float>(shape, x, w, dy, dx, dw, db);
    else
      backward_of<bf16>(shape, x, w, dy, dx, dw, db);
    const auto dr = ctx->saved_data["added"].toBool() ? dy : at::Tensor();
    return {dx.to(ctx->saved_data["type"].toScalarType()), dw, db, dr, {}};
  }

 private:
  static ConvShape shape_of(const at::Tensor &x, const at::Tensor &w, bool periodic) {
    return {x.size(0), x.size(2), x.size(3), x.size(1), w.size(0), w.size(2), periodic};
  }
  template <class T>
  static void backward_of(const ConvShape &shape, const at::Tensor &x, const at::Tensor &w, const at::Tensor &dy,
                          const at::Tensor &dx, const at::Tensor &dw, const at::Tensor &db) {
    conv_input_gradient(shape, data<T>(dy), data<float>(w), data<T>(dx));
    conv_weight_gradient(shape, data<T>(x), data<T>(dy), data<float>(dw), data<float>(db));
  }
};

}  // namespace

static at::Tensor by_libtorch(const at::Tensor &x, const at::Tensor &w, fx_tensor b, bool periodic) {
  const int64_t pad = w.size(-1) / 2;
  if (!periodic || pad == 0) return at::conv2d(x, w, maybe(b), 1, pad);
  return at::conv2d(at::pad(x, {pad, pad, pad, pad}, "circular"), w, maybe(b));
}

// An odd square kernel, stride 1, output as large as the input; plus r, which may be null.
fx_error fx_conv2d(fx_tensor x, fx_tensor w, fx_tensor b, bool periodic, fx_tensor r, fx_tensor *out) {
  return give(out, [&] {
    if (!has_kernel(*x, *w, b)) return r ? *r + by_libtorch(*x, *w, b, periodic) : by_libtorch(*x, *w, b, periodic);
    const bool adds = r && can_add(*r, *x, *w);
    auto y = Conv::apply(*x, *w, *b, adds ? std::optional(*r) : std::nullopt, periodic);
    return r && !adds ? *r + y : y;
  });
}
