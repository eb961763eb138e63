// How fast the processor's multipliers are: the bound of convolutions, which benchmarks print beside their own rate.
#include <time.h>

#include <algorithm>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "buffers.h"
#include "fx.h"
#include "simd.h"
#include "tiles.h"

namespace fx {
namespace {

struct Kernel {
  int64_t (*floats)(int64_t n, const float *of, float *to) = nullptr;
  int64_t (*pairs)(int64_t n, const uint32_t *of, float *to) = nullptr;
};

#define FX_KERNEL "simd/rate_kernel.h"
#include "simd/each_target.h"

#if FX_HAS_TILES
// n times four products of tiles. The factors are zeros.
int64_t multiply_tiles(int64_t n, const uint32_t *, float *) {
  const TileRegisters tiles;
  zero_tile<4>();
  zero_tile<5>();
  zero_tile<6>();
  zero_tile<7>();
  for (int64_t i = 0; i < n; i++) {
    add_tile_products<0, 4, 6>();
    add_tile_products<1, 4, 7>();
    add_tile_products<2, 5, 6>();
    add_tile_products<3, 5, 7>();
  }
  return n * 4 * tile_side * tile_side * tile_depth * 2;
}
#endif

double processor_seconds() {
  timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

template <class E>
double rate_of(int64_t (*multiply)(int64_t n, const E *of, float *to)) {
  if (!multiply) return 0;
  E factors[17] = {};
  float sums[16] = {};
  double best = 0;
  for (int i = 0; i < 10; i++) {
    const double began = processor_seconds(), done = static_cast<double>(multiply(100000, factors, sums));
    best = std::max(best, done / (processor_seconds() - began));
  }
  return best;
}

}  // namespace
}  // namespace fx

// The most multiplications and additions that one core does in a second of its time, with the instructions of the level
// in use; 0 if the level has no kernels for convolution.
double fx_multiplier_rate(bool bf16) {
  using namespace fx;
  const Kernel &of = FX_BEST(kernel);
#if FX_HAS_TILES
  if (bf16 && has_tiles()) return rate_of(multiply_tiles);
#endif
  return bf16 ? rate_of(of.pairs) : rate_of(of.floats);
}
