// What the direct sums of conv_kernel.h and amx_kernel.cc share: the order of packed weights, and the sum for b. It is
// included inside their namespaces, after products.h. There is no include guard.
//
// Packed weights are (blocks of two vectors of channels, k, k, terms, 2 vectors); the last block is of one vector if one
// is left over. `padded` is the number of summed channels of a tap with the zeros after them.

// Packs w (O,k,k,I): V vectors of y's channels from o on.
template <class E>
void pack_forward(const ConvShape &s, const float *w, int64_t padded, int64_t o, int64_t vectors, E *to) {
  constexpr int64_t most = lanes * values_of<E>;
  const int64_t taps = s.kernel * s.kernel;
  for (int64_t t = 0; t < taps; t++)
    for (int64_t c = 0; c < padded; c += most) {
      const int64_t count = std::min(most, s.in - c), terms = std::min(most, padded - c) / values_of<E>;
      for (int64_t v = 0; v < vectors; v++) {
        words block[lanes];
        for (int64_t i = 0; i < lanes; i++) {
          const float *from = w + ((o + v * lanes + i) * taps + t) * s.in + c;
          float some[most] = {};
          if (count < most) std::memcpy(some, from, count * sizeof(float));
          block[i] = along<E>(count < most ? some : from);
        }
        transpose(block);
        for (int64_t i = 0; i < terms; i++) put(to + (i * vectors + v) * lanes, block[i]);
      }
      to += terms * vectors * lanes;
    }
}

// Packs w[i][-t][o]: V vectors of x's channels from i on.
template <class E>
void pack_backward(const ConvShape &s, const float *w, int64_t padded, int64_t i, int64_t vectors, E *to) {
  const int64_t taps = s.kernel * s.kernel;
  for (int64_t t = taps - 1; t >= 0; t--)
    for (int64_t o = 0; o < padded; o += values_of<E>)
      for (int64_t v = 0; v < vectors; v++, to += lanes) {
        const float *from = w + (o * taps + t) * s.in + i + v * lanes;
        put(to, o < s.out ? across<E>(from, from + (values_of<E> - 1) * taps * s.in) : words{});
      }
}

template <class E>
using Pack = void (*)(const ConvShape &s, const float *w, int64_t padded, int64_t first, int64_t vectors, E *to);

// Packs the weights for all channels of a product's y, block by block.
template <class E>
void pack_all(const ConvShape &s, int64_t channels, int64_t padded, const float *w, Pack<E> pack, E *to) {
  const int64_t terms = s.kernel * s.kernel * padded / values_of<E>;
  each_block(channels, [&](int64_t first, int64_t vectors) { pack(s, w, padded, first, vectors, to + first * terms); });
}

// db of the channels from `first` to `last` += the sum over dy (cells, out).
template <class T>
void add_bias(const T *dy, int64_t cells, int64_t out, int64_t first, int64_t last, float *db) {
  for (int64_t o = first; o < last; o += lanes) {
    vec acc = load(db + o);
    for (int64_t i = 0; i < cells; i++) acc += load(dy + i * out + o);
    store(db + o, acc);
  }
}
