// Concatenation. Two channels-last tensors on the CPU, along their channels, take an autograd function of our own, whose
// gradients are channels-last and contiguous. libtorch's gradients are views of the whole, which every kernel after it
// would have to copy.
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>

#include "core/channels_last.h"
#include "core/guard.h"

using namespace fx;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

namespace {

bool has_concat_kernel(const std::vector<at::Tensor> &xs, int64_t dim) {
  return dim == 1 && xs.size() == 2 && std::all_of(xs.begin(), xs.end(), [&](const at::Tensor &x) {
           return x.device().is_cpu() && x.dim() == 4 && x.is_contiguous(channels_last) &&
                  x.scalar_type() == xs[0].scalar_type() && x.size(0) == xs[0].size(0) &&
                  x.sizes().slice(2) == xs[0].sizes().slice(2);
         });
}

// A tensor as cells: the channels of one cell are contiguous and take that many bytes.
struct Cells {
  char *data;
  int64_t bytes;
  explicit Cells(const at::Tensor &x) : data(static_cast<char *>(x.data_ptr())), bytes(x.size(1) * x.element_size()) {}
};

// Calls copy(part of the whole, x) for each of the cells of x; the part begins at offset bytes of the whole's cell.
template <class Copy>
void each_cell(const Cells &whole, int64_t offset, const Cells &x, int64_t count, Copy &&copy) {
  at::parallel_for(0, count, 16384 / x.bytes + 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) copy(whole.data + i * whole.bytes + offset, x.data + i * x.bytes);
  });
}

int64_t cells(const at::Tensor &x) { return x.size(0) * x.size(2) * x.size(3); }

at::Tensor concatenated(const at::Tensor &a, const at::Tensor &b) {
  auto y = at::empty({a.size(0), a.size(1) + b.size(1), a.size(2), a.size(3)}, a.options().memory_format(channels_last));
  const Cells whole(y), first(a), second(b);
  at::parallel_for(0, cells(y), 16384 / whole.bytes + 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++) {
      std::memcpy(whole.data + i * whole.bytes, first.data + i * first.bytes, first.bytes);
      std::memcpy(whole.data + i * whole.bytes + first.bytes, second.data + i * second.bytes, second.bytes);
    }
  });
  return y;
}

struct Concat : torch::autograd::Function<Concat> {
  static at::Tensor forward(AutogradContext *ctx, const at::Tensor &a, const at::Tensor &b) {
    ctx->saved_data["channels"] = a.size(1);
    return concatenated(a, b);
  }

  static variable_list backward(AutogradContext *ctx, variable_list grads) {
    const auto dy = grads[0].contiguous(channels_last);
    const int64_t channels = ctx->saved_data["channels"].toInt();
    variable_list parts;
    int64_t offset = 0;
    for (int64_t c : {channels, dy.size(1) - channels}) {
      parts.push_back(at::empty({dy.size(0), c, dy.size(2), dy.size(3)}, dy.options().memory_format(channels_last)));
      const Cells part(parts.back());
      each_cell(Cells(dy), offset, part, cells(dy), [&](const char *from, char *to) { std::memcpy(to, from, part.bytes); });
      offset += part.bytes;
    }
    return parts;
  }
};

}  // namespace

fx_error fx_cat(const fx_tensor *xs, int n, int64_t dim, fx_tensor *out) {
  return give(out, [&] {
    const auto all = list(xs, n);
    if (!has_concat_kernel(all, dim)) return at::cat(all, dim);
    return at::GradMode::is_enabled() ? Concat::apply(all[0], all[1]) : concatenated(all[0], all[1]);
  });
}
