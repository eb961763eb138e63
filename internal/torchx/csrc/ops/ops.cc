// Arithmetic and shape.
#include "core/guard.h"

using namespace fx;

fx_error fx_add(fx_tensor a, fx_tensor b, double alpha, fx_tensor *out) {
  return give(out, [&] { return at::add(*a, *b, alpha); });
}

fx_error fx_mul(fx_tensor a, fx_tensor b, fx_tensor *out) {
  return give(out, [&] { return at::mul(*a, *b); });
}

fx_error fx_affine(fx_tensor x, double scale, double shift, fx_tensor *out) {
  return give(out, [&] {
    auto y = at::mul(*x, scale);
    return shift == 0 ? y : at::add(y, shift);
  });
}

fx_error fx_add_(fx_tensor a, fx_tensor b, double alpha) {
  return guard([&] { a->add_(*b, alpha); });
}

fx_error fx_cos(fx_tensor x, fx_tensor *out) {
  return give(out, [&] { return at::cos(*x); });
}

fx_error fx_sin(fx_tensor x, fx_tensor *out) {
  return give(out, [&] { return at::sin(*x); });
}

fx_error fx_mean(fx_tensor x, const int64_t *dims, int n, fx_tensor *out) {
  return give(out, [&] { return n == 0 ? at::mean(*x) : at::mean(*x, ints(dims, n)); });
}

fx_error fx_narrow(fx_tensor x, int64_t dim, int64_t start, int64_t length, fx_tensor *out) {
  return give(out, [&] { return at::narrow(*x, dim, start, length); });
}

fx_error fx_reshape(fx_tensor x, const int64_t *shape, int dims, fx_tensor *out) {
  return give(out, [&] { return at::reshape(*x, ints(shape, dims)); });
}

fx_error fx_transpose(fx_tensor x, int64_t a, int64_t b, fx_tensor *out) {
  return give(out, [&] { return at::transpose(*x, a, b); });
}
