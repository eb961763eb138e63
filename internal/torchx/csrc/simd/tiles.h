// AMX: tile registers, each of up to 16 rows of 64 bytes, and their products.
//
// A product adds to a tile of 16 x 16 float sums a tile of 16 rows by 32 bf16, times a tile of 16 rows of pairs: row j of
// the second factor holds the values 2 j and 2 j + 1 of the summed axis for each of 16 columns, side by side. It takes as
// many cycles as the first factor has rows, and multiplies eight times as much a cycle as AVX-512.
//
// native.sh sets FX_HAS_TILES if the assembler knows them.
//
// Intel's intrinsics are macros without a memory clobber in GCC 12, so that the compiler could move a store past them.
#pragma once
#include <cstdint>

#include "simd.h"

#if FX_HAS_TILES
namespace fx {

constexpr int64_t tile_side = 16;   // rows of a tile, and its columns of sums
constexpr int64_t tile_depth = 32;  // values along the summed axis in a tile

// Configures the calling thread's tile registers in full size, and frees them at the end. A kernel makes one for itself,
// because other libraries configure these registers too. Tiles 0 to 3 are for sums, 4 and 5 for first factors, 6 and 7 for
// second ones.
class TileRegisters {
 public:
  TileRegisters() {
    struct alignas(64) {
      uint8_t palette = 1, start_row = 0, reserved[14] = {};
      uint16_t row_bytes[16] = {};
      uint8_t rows[16] = {};
    } config;
    for (int i = 0; i < 8; i++) {
      config.row_bytes[i] = 64;
      config.rows[i] = tile_side;
    }
    asm volatile("ldtilecfg %0" ::"m"(config));
  }
  ~TileRegisters() { asm volatile("tilerelease"); }
  TileRegisters(const TileRegisters &) = delete;
  TileRegisters &operator=(const TileRegisters &) = delete;
};

template <int tile>
FX_INLINE void zero_tile() {
  asm volatile("tilezero %%tmm%c0" ::"i"(tile));
}
// Rows are `apart` bytes apart in memory.
template <int tile>
FX_INLINE void load_tile(const void *from, int64_t apart) {
  asm volatile("tileloadd (%0,%1,1), %%tmm%c2" ::"r"(from), "r"(apart), "i"(tile) : "memory");
}
template <int tile>
FX_INLINE void store_tile(void *to, int64_t apart) {
  asm volatile("tilestored %%tmm%c2, (%0,%1,1)" ::"r"(to), "r"(apart), "i"(tile) : "memory");
}
template <int sums, int first, int second>
FX_INLINE void add_tile_products() {
  asm volatile("tdpbf16ps %%tmm%c2, %%tmm%c1, %%tmm%c0" ::"i"(sums), "i"(first), "i"(second));
}

// A block of sums in registers, P tiles below one another by V tiles side by side, each 1 or 2. Distances are in bytes.
template <int P, int V>
struct TileSums {
  FX_INLINE static void zero() {
    zero_tile<0>();
    if constexpr (V > 1) zero_tile<1>();
    if constexpr (P > 1) zero_tile<2>();
    if constexpr (P > 1 && V > 1) zero_tile<3>();
  }
  FX_INLINE static void load(const float *from, int64_t apart) {
    const float *below = from + tile_side * apart / static_cast<int64_t>(sizeof(float));
    load_tile<0>(from, apart);
    if constexpr (V > 1) load_tile<1>(from + tile_side, apart);
    if constexpr (P > 1) load_tile<2>(below, apart);
    if constexpr (P > 1 && V > 1) load_tile<3>(below + tile_side, apart);
  }
  FX_INLINE static void store(float *to, int64_t apart) {
    float *below = to + tile_side * apart / static_cast<int64_t>(sizeof(float));
    store_tile<0>(to, apart);
    if constexpr (V > 1) store_tile<1>(to + tile_side, apart);
    if constexpr (P > 1) store_tile<2>(below, apart);
    if constexpr (P > 1 && V > 1) store_tile<3>(below + tile_side, apart);
  }

  // Adds the products of the first factors a and, for the sums below, a_below, with the pairs at b.
  FX_INLINE static void add(const void *a, const void *a_below, int64_t a_apart, const uint32_t *b, int64_t b_apart) {
    load_tile<6>(b, b_apart);
    load_tile<4>(a, a_apart);
    add_tile_products<0, 4, 6>();
    if constexpr (V > 1) {
      load_tile<7>(b + tile_side, b_apart);
      add_tile_products<1, 4, 7>();
    }
    if constexpr (P > 1) {
      load_tile<5>(a_below, a_apart);
      add_tile_products<2, 5, 6>();
    }
    if constexpr (P > 1 && V > 1) add_tile_products<3, 5, 7>();
  }
};

}  // namespace fx
#endif
