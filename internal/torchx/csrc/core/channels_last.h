// What the autograd functions of kernels for channels-last tensors share.
#pragma once
#include <ATen/ATen.h>

#include <type_traits>

#include "simd/bf16.h"

namespace fx {

constexpr auto channels_last = at::MemoryFormat::ChannelsLast;

// The elements of x; null if x is undefined.
template <class T>
T *data(const at::Tensor &x) {
  return x.defined() ? static_cast<T *>(x.data_ptr()) : nullptr;
}

// Calls body with a null pointer of x's element type, float or bf16, so that body can be generic.
template <class Body>
void with_type(const at::Tensor &x, Body &&body) {
  if (x.scalar_type() == at::kFloat)
    body(static_cast<float *>(nullptr));
  else
    body(static_cast<bf16 *>(nullptr));
}

}  // namespace fx
