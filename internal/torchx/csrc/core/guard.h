// What the functions of fx.h are made of: run a body, turn an exception into a message, box a result.
#pragma once
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>

#include <atomic>
#include <stdexcept>
#include <vector>

#include "error.h"

namespace fx {

template <class Body>
fx_error guard(Body &&body) {
  return caught([&] {
    try {
      body();
    } catch (const c10::Error &e) {
      throw std::runtime_error(e.what_without_backtrace());
    }
  });
}

extern std::atomic<int64_t> live;

// Moves t to the heap. The caller owns the result and frees it with fx_free.
inline fx_tensor box(at::Tensor t) {
  live.fetch_add(1, std::memory_order_relaxed);
  return new at::Tensor(std::move(t));
}

// The body of a function that computes one tensor.
template <class Body>
fx_error give(fx_tensor *out, Body &&body) {
  return guard([&] { *out = box(body()); });
}

inline at::IntArrayRef ints(const int64_t *values, int n) { return {values, static_cast<size_t>(n)}; }

inline std::vector<at::Tensor> list(const fx_tensor *xs, int n) {
  std::vector<at::Tensor> r;
  r.reserve(n);
  for (int i = 0; i < n; i++) r.push_back(*xs[i]);
  return r;
}

// A null pointer is an absent tensor.
inline std::optional<at::Tensor> maybe(fx_tensor t) { return t ? std::optional<at::Tensor>(*t) : std::nullopt; }

inline void check_bytes(const at::Tensor &x, int64_t bytes) {
  TORCH_CHECK(static_cast<int64_t>(x.nbytes()) == bytes, "tensor of ", x.nbytes(), " bytes, buffer of ", bytes);
}

inline at::Device device_of(int index) {
  return index < 0 ? at::Device(at::kCPU) : at::Device(at::kCUDA, static_cast<c10::DeviceIndex>(index));
}

}  // namespace fx
