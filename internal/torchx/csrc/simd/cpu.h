// The sets of instructions that kernels are compiled for.
#pragma once

namespace fx {

// Each level has the instructions of those before it. torchx/level.go has their names.
enum class Level { generic, avx2, avx512, avx512bf16 };

// The highest level that the processor has.
inline Level best_level() {
#if defined(__x86_64__)
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return Level::generic;
  if (!__builtin_cpu_supports("avx512vl") || !__builtin_cpu_supports("avx512dq") || !__builtin_cpu_supports("avx512bw"))
    return Level::avx2;
  return __builtin_cpu_supports("avx512bf16") ? Level::avx512bf16 : Level::avx512;
#else
  return Level::generic;
#endif
}

// The level of the kernels that are used: the best, unless fx_set_cpu_level has set a lower one.
inline Level level = best_level();

inline bool has_avx2() { return level >= Level::avx2; }
inline bool has_avx512() { return level >= Level::avx512; }
inline bool has_avx512bf16() { return level >= Level::avx512bf16; }

}  // namespace fx
