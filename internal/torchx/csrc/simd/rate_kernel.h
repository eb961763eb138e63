// The loop of rate_kernel.cc, compiled once for each set of instructions; see each_target.h.
namespace FX_TARGET {

#if FX_WIDTH > 1
#include "simd/products.h"

// n times 12 products, added to sums that stay in registers: enough to keep the multipliers busy. The factors are the
// terms in `of`, a vector and one more; the sums are added to `to`. Returns the number of multiplications and additions.
template <class E>
int64_t multiply(int64_t n, const E *of, float *to) {
  constexpr int sums = 12;
  vec acc[sums], total = load(to);
  FX_UNROLL for (int j = 0; j < sums; j++) acc[j] = all(j);  // not alike, or the compiler makes them one
  for (int64_t i = 0; i < n; i++) FX_UNROLL for (int j = 0; j < sums; j++) acc[j] = add_product(acc[j], of, of[lanes]);
  FX_UNROLL for (int j = 0; j < sums; j++) total += acc[j];
  store(to, total);
  return n * sums * lanes * 2 * values_of<E>;
}

constexpr Kernel kernel{
    multiply<float>,
#if FX_BF16
    multiply<pair>,
#endif
};
#else
constexpr Kernel kernel{};
#endif

}  // namespace FX_TARGET
