// Includes the file FX_KERNEL once for each set of instructions, in the namespaces plain,
// avx2, avx512 and avx512bf16 that it opens as FX_TARGET: vectors are taken apart where a function is
// compiled for a processor without them, even if it is inlined into one that is not.
// FX_WIDTH is how many floats a kernel's own intrinsics take at a time, 1 where there are none; FX_BF16 says whether
// there are those for bf16 (GCC's macros __AVX2__ and so on do not follow its pragmas).
// FX_BEST(name) is then the name of the best namespace that the processor can run. No
// include guard: each user includes it in its own namespace.
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
#pragma GCC pop_options
#undef FX_WIDTH

inline bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
inline bool has_avx512() {
  return has_avx2() && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512bw");
}
inline bool has_avx512bf16() { return has_avx512() && __builtin_cpu_supports("avx512bf16"); }
#define FX_BEST(...)                          \
  (has_avx512bf16() ? avx512bf16::__VA_ARGS__ \
   : has_avx512()   ? avx512::__VA_ARGS__     \
   : has_avx2()     ? avx2::__VA_ARGS__       \
                    : plain::__VA_ARGS__)
#else
#define FX_BEST(...) (plain::__VA_ARGS__)
#endif
#undef FX_BF16
