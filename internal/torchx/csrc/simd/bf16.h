// bfloat16 for kernels, which work on plain memory.
#pragma once
#include <cstdint>

namespace fx {

using bf16 = uint16_t;  // the bits of one value

}  // namespace fx
