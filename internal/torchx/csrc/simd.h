// For kernels of vectors, which each_target.h compiles for several sets of instructions.
#pragma once
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "bf16.h"

// Into the kernel, to be compiled for its instructions.
#define FX_INLINE inline __attribute__((always_inline))

// Vectors are passed between inlined functions only: how a call would pass them does not matter (native.sh has
// -Wno-psabi for that, since that one is told at the file's end, where no pragma holds).
#pragma GCC diagnostic ignored "-Wignored-attributes"
