// Includes the file FX_KERNEL once for each set of instructions, in the namespaces plain,
// avx2, avx512 and avx512bf16 that it opens as FX_TARGET: vectors are taken apart where a function is
// compiled for a processor without them, even if it is inlined into one that is not.
// What is written with a set's own intrinsics asks for FX_AVX512 or FX_AVX512BF16.
// FX_BEST(name) is then the name of the best namespace that the processor can run. No
// include guard: each user includes it in its own namespace.
#define FX_TARGET plain
#include FX_KERNEL
#undef FX_TARGET

#if defined(__x86_64__)
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#define FX_TARGET avx2
#include FX_KERNEL
#undef FX_TARGET
#pragma GCC pop_options

#pragma GCC push_options
#pragma GCC target("avx2,fma,avx512f,avx512vl,avx512dq,avx512bw")
#define FX_TARGET avx512
#define FX_AVX512
#include FX_KERNEL
#undef FX_TARGET
#pragma GCC pop_options

#pragma GCC push_options
#pragma GCC target("avx2,fma,avx512f,avx512vl,avx512dq,avx512bw,avx512bf16")
#define FX_TARGET avx512bf16
#define FX_AVX512BF16
#include FX_KERNEL
#undef FX_TARGET
#undef FX_AVX512
#undef FX_AVX512BF16
#pragma GCC pop_options

inline bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
inline bool has_avx512() {
  return has_avx2() && __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
         __builtin_cpu_supports("avx512bw");
}
inline bool has_avx512bf16() { return has_avx512() && __builtin_cpu_supports("avx512bf16"); }
#define FX_BEST(...)                         \
  (has_avx512bf16() ? avx512bf16::__VA_ARGS__ \
   : has_avx512()   ? avx512::__VA_ARGS__     \
   : has_avx2()     ? avx2::__VA_ARGS__       \
                    : plain::__VA_ARGS__)
#else
#define FX_BEST(...) (plain::__VA_ARGS__)
#endif
