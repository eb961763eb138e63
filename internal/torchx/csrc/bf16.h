// bfloat16, for kernels that know nothing of tensors.
#pragma once
#include <cstdint>

namespace fx {

using bf16 = uint16_t;  // its bits

}  // namespace fx
