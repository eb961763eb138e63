// What the autograd functions of kernels for channels-last tensors share.
#pragma once
#include <ATen/ATen.h>

#include <type_traits>

#include "bf16.h"

namespace fx {

constexpr auto channels_last = at::MemoryFormat::ChannelsLast;

// Null where x is not defined.
template <class T>
T *data(const at::Tensor &x) {
  return x.defined() ? static_cast<T *>(x.data_ptr()) : nullptr;
}

// Runs body for x's element type, float or bf16, passing it a null pointer of that type.
template <class Body>
void with_type(const at::Tensor &x, Body &&body) {
  if (x.scalar_type() == at::kFloat)
    body(static_cast<float *>(nullptr));
  else
    body(static_cast<bf16 *>(nullptr));
}

}  // namespace fx
