// What a source file needs before it compiles a kernel for several sets of instructions by each_target.h.
#pragma once
#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "bf16.h"
#include "cpu.h"

// For functions that have to be inlined into the kernel, and so compiled for its instructions.
#define FX_INLINE inline __attribute__((always_inline))

// Stands before every loop over sums that have to stay in registers. An array that any loop indexes at run time is in
// memory instead.
#define FX_UNROLL _Pragma("GCC unroll 16")

// GCC warns that the way in which a call passes a vector depends on the instructions. Vectors are only passed between
// inlined functions, so there is no such call. native.sh has -Wno-psabi for the same reason: GCC gives that warning at
// the end of the file, where no pragma reaches it.
#pragma GCC diagnostic ignored "-Wignored-attributes"
// GCC 12 gives these warnings inside its own header of intrinsics.
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
