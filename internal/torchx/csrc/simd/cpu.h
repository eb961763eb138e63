// The sets of instructions that kernels are compiled for.
#pragma once
#if FX_HAS_TILES
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace fx {

// Each level has the instructions of those before it. torchx/level.go has their names.
enum class Level { generic, avx2, avx512, avx512bf16, amx };

// Whether the processor has AMX for bf16, and Linux lets this process use it: it must ask, since the tiles make the
// context of a thread larger.
inline bool has_amx() {
#if FX_HAS_TILES
  unsigned a, b, c, d;
  if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return false;
  const bool has_bf16 = d >> 22 & 1, has_tiles = d >> 24 & 1;
  constexpr long request_permission = 0x1023, tile_data = 18;
  return has_bf16 && has_tiles && syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
#else
  return false;
#endif
}

// The highest level that the processor has.
inline Level best_level() {
#if defined(__x86_64__)
  if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return Level::generic;
  if (!__builtin_cpu_supports("avx512vl") || !__builtin_cpu_supports("avx512dq") || !__builtin_cpu_supports("avx512bw"))
    return Level::avx2;
  if (!__builtin_cpu_supports("avx512bf16")) return Level::avx512;
  if (has_amx()) return Level::amx;
  // Intel's products of pairs are half as fast as its products of floats, which Winograd's algorithm makes faster still.
  return __builtin_cpu_is("intel") ? Level::avx512 : Level::avx512bf16;
#else
  return Level::generic;
#endif
}

// The level of the kernels that are used: the best, unless fx_set_cpu_level has set a lower one.
inline Level level = best_level();

inline bool has_avx2() { return level >= Level::avx2; }
inline bool has_avx512() { return level >= Level::avx512; }
inline bool has_avx512bf16() { return level >= Level::avx512bf16; }
inline bool has_tiles() { return level >= Level::amx; }

}  // namespace fx
