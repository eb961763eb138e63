// Compiles a kernel once for each set of instructions. The user defines FX_KERNEL as a header, by its path from csrc,
// and includes this file in its own namespace, after simd.h. The header is then included four times. Each time FX_TARGET
// is the namespace that it has to open: plain, avx2, avx512 and avx512bf16. The namespaces keep the four versions of an
// inline function apart: GCC splits vectors in a function that is compiled for a processor without them, even if the
// function is inlined into one that has them.
//
// For the kernel's own intrinsics there are two macros, since GCC's macros such as __AVX2__ do not follow its pragmas.
// FX_WIDTH is the number of floats in a vector of those instructions, 1 for plain; FX_BF16 is 1 if they convert to bf16.
//
// A kernel that has products of AMX's tiles defines FX_WITH_TILES as 1, after tiles.h. It is then included once more, with
// FX_TILES 1 instead of 0 and the namespace amx.
//
// After the include, FX_BEST(name) is `name` in the best of the namespaces that this processor can run. There is no
// include guard: each user includes the file for itself.
#define FX_TILES 0
#define FX_TARGET plain
#define FX_WIDTH 1
#define FX_BF16 0
#include FX_KERNEL
#undef FX_TARGET
#undef FX_WIDTH

#if defined(__x86_64__)
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#define FX_TARGET avx2
#define FX_WIDTH 8
#include FX_KERNEL
#undef FX_TARGET
#undef FX_WIDTH
#pragma GCC pop_options

#define FX_WIDTH 16
#pragma GCC push_options
#pragma GCC target("avx2,fma,avx512f,avx512vl,avx512dq,avx512bw")
#define FX_TARGET avx512
#include FX_KERNEL
#undef FX_TARGET
#undef FX_BF16
#pragma GCC pop_options

#pragma GCC push_options
#pragma GCC target("avx2,fma,avx512f,avx512vl,avx512dq,avx512bw,avx512bf16")
#define FX_TARGET avx512bf16
#define FX_BF16 1
#include FX_KERNEL
#undef FX_TARGET
#undef FX_TILES

#define FX_WITHOUT_TILES(...)                     \
  (fx::has_avx512bf16() ? avx512bf16::__VA_ARGS__ \
   : fx::has_avx512()   ? avx512::__VA_ARGS__     \
   : fx::has_avx2()     ? avx2::__VA_ARGS__       \
                        : plain::__VA_ARGS__)
#if FX_WITH_TILES && FX_HAS_TILES
#define FX_TARGET amx
#define FX_TILES 1
#include FX_KERNEL
#undef FX_TARGET
#undef FX_TILES
#define FX_BEST(...) (fx::has_tiles() ? amx::__VA_ARGS__ : FX_WITHOUT_TILES(__VA_ARGS__))
#else
#define FX_BEST(...) FX_WITHOUT_TILES(__VA_ARGS__)
#endif
#pragma GCC pop_options
#undef FX_WIDTH
#else
#undef FX_TILES
#define FX_BEST(...) (plain::__VA_ARGS__)
#endif
#undef FX_BF16
