// Convolution. Channels-last tensors on the CPU take an autograd function of our own kernels. libtorch's convolution does
// the rest: other devices and layouts, float64, and numbers of channels that are not multiples of 16.
#include "conv.h"

#include <ATen/autocast_mode.h>
#include <c10/core/CPUAllocator.h>
#include <torch/csrc/autograd/custom_function.h>

#include <map>
#include <optional>

#include "core/channels_last.h"
#include "core/guard.h"

using namespace fx;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

// The type in which x and the weights are multiplied.
at::ScalarType type_of(const at::Tensor &x) {
  return at::autocast::is_autocast_enabled(at::kCPU) ? at::autocast::get_autocast_dtype(at::kCPU) : x.scalar_type();
}

bool has_conv_kernel(const at::Tensor &x, const at::Tensor &w, fx_tensor b) {
  const auto type = type_of(x);
  return x.device().is_cpu() && x.dim() == 4 && w.dim() == 4 && x.numel() > 0 && w.numel() > 0 &&
         x.is_contiguous(channels_last) && w.is_contiguous(channels_last) && x.size(1) == w.size(1) &&
         w.size(0) % 16 == 0 && w.size(1) % 16 == 0 && w.scalar_type() == at::kFloat && b &&
         b->scalar_type() == at::kFloat && b->is_contiguous() && b->sizes() == at::IntArrayRef{w.size(0)} &&
         (w.size(2) == 1 || w.size(2) == 3) && w.size(2) == w.size(3) &&
         (type == at::kFloat || type == at::kBFloat16) && has_conv(type == at::kBFloat16);
}

// Whether the kernel can add r to its result.
bool can_add(const at::Tensor &r, const at::Tensor &x, const at::Tensor &w) {
  return r.scalar_type() == type_of(x) && r.is_contiguous(channels_last) &&
         r.sizes() == at::IntArrayRef({x.size(0), w.size(0), x.size(2), x.size(3)});
}

ConvShape shape_of(const at::Tensor &x, const at::Tensor &w, bool periodic, bool inference) {
  return {x.size(0), x.size(2), x.size(3), x.size(1), w.size(0), w.size(2), periodic, inference};
}

// Packed weights that outlive a convolution, each with the tensor that it was made from.
struct Kept {
  struct Entry {
    at::Tensor w;
    c10::DataPtr packed;
  };
  int64_t most, bytes = 0;  // weights beyond the most are packed again each time
  std::map<std::tuple<const void *, at::ScalarType, ConvWay>, Entry> entries;
};
thread_local std::optional<Kept> kept;

// Calls use(w in the kernel's order).
template <class T, class Use>
void with_packed(const ConvShape &shape, const at::Tensor &w, at::ScalarType type, Use &&use) {
  const int64_t bytes = conv_packed_bytes<T>(shape);
  auto pack = [&] {
    auto to = c10::GetCPUAllocator()->allocate(bytes);
    conv_pack<T>(shape, data<float>(w), to.get());
    return to;
  };
  if (!kept || !shape.inference) return use(pack().get());
  const auto key = std::make_tuple(w.const_data_ptr(), type, conv_way<T>(shape));
  auto found = kept->entries.find(key);
  if (found == kept->entries.end()) {
    if (kept->bytes + bytes > kept->most) return use(pack().get());
    kept->bytes += bytes;
    found = kept->entries.emplace(key, Kept::Entry{w, pack()}).first;
  }
  use(found->second.packed.get());
}

// x in the type in which it is multiplied, like r.
at::Tensor convolution(const at::Tensor &x, const at::Tensor &w, const at::Tensor &b, const at::Tensor &r, bool periodic,
                       bool inference) {
  auto y = at::empty({x.size(0), w.size(0), x.size(2), x.size(3)}, x.options().memory_format(channels_last));
  const auto shape = shape_of(x, w, periodic, inference);
  with_type(x, [&](auto *type) {
    using T = std::remove_pointer_t<decltype(type)>;
    with_packed<T>(shape, w, x.scalar_type(), [&](const void *packed) {
      conv_forward(shape, data<T>(x), packed, data<float>(b), data<T>(r), data<T>(y));
    });
  });
  return y;
}

struct Conv : torch::autograd::Function<Conv> {
  static at::Tensor forward(AutogradContext *ctx, const at::Tensor &input, const at::Tensor &w, const at::Tensor &b,
                            const std::optional<at::Tensor> &maybe_r, bool periodic) {
    const auto r = maybe_r.value_or(at::Tensor());
    auto x = input.to(type_of(input));
    auto y = convolution(x, w, b, r, periodic, /*inference=*/false);
    ctx->save_for_backward({x, w, b});
    ctx->saved_data["periodic"] = periodic;
    ctx->saved_data["added"] = r.defined();
    ctx->saved_data["type"] = input.scalar_type();
    return y;
  }

  static variable_list backward(AutogradContext *ctx, variable_list grads) {
    auto saved = ctx->get_saved_variables();
    const auto &x = saved[0], &w = saved[1];
    auto dy = grads[0].to(x.scalar_type()).contiguous(channels_last);
    auto dx = at::empty_like(x), dw = at::empty_like(w), db = at::empty_like(saved[2]);
    const auto shape = shape_of(x, w, ctx->saved_data["periodic"].toBool(), /*inference=*/false);
    with_type(x, [&](auto *type) {
      using T = std::remove_pointer_t<decltype(type)>;
      conv_input_gradient(shape, data<T>(dy), data<float>(w), data<T>(dx));
      conv_weight_gradient(shape, data<T>(x), data<T>(dy), data<float>(dw), data<float>(db));
    });
    const auto dr = ctx->saved_data["added"].toBool() ? dy : at::Tensor();
    return {dx.to(ctx->saved_data["type"].toScalarType()), dw, db, dr, {}};
  }
};

}  // namespace

static at::Tensor by_libtorch(const at::Tensor &x, const at::Tensor &w, fx_tensor b, bool periodic) {
  const int64_t pad = w.size(-1) / 2;
  if (!periodic || pad == 0) return at::conv2d(x, w, maybe(b), 1, pad);
  return at::conv2d(at::pad(x, {pad, pad, pad, pad}, "circular"), w, maybe(b));
}

// x (N,I,H,W), w (O,I,k,k) with odd k, stride 1, b (O) or null: (N,O,H,W), plus r of that shape unless it is null.
fx_error fx_conv2d(fx_tensor x, fx_tensor w, fx_tensor b, bool periodic, fx_tensor r, fx_tensor *out) {
  return give(out, [&] {
    const bool kernel = has_conv_kernel(*x, *w, b), adds = kernel && r && can_add(*r, *x, *w);
    auto convolved = [&] {
      if (!kernel) return by_libtorch(*x, *w, b, periodic);
      if (at::GradMode::is_enabled()) return Conv::apply(*x, *w, *b, adds ? maybe(r) : std::nullopt, periodic);
      return convolution(x->to(type_of(*x)), *w, *b, adds ? *r : at::Tensor(), periodic, /*inference=*/true);
    };
    auto y = convolved();
    return r && !adds ? *r + y : y;
  });
}

// Until fx_keep_packed(0), convolutions without gradients on this thread keep the weights that they have packed, up to that
// many bytes. The weights must not change in between. Returns the number that was in force, 0 if nothing was kept; if
// something is kept already, another number but 0 changes nothing.
int64_t fx_keep_packed(int64_t most) {
  const int64_t was = kept ? kept->most : 0;
  if (most == 0)
    kept.reset();
  else if (!kept)
    kept.emplace(Kept{most, 0, {}});
  return was;
}
