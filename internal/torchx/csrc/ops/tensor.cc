// Making, reading, writing and moving tensors.
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/detail/CUDAHooksInterface.h>

#include <cstdlib>

#include "core/guard.h"

using namespace fx;

std::atomic<int64_t> fx::live{0};

void fx_free_string(fx_error s) { free(const_cast<char *>(s)); }

void fx_free(fx_tensor t) {
  if (!t) return;
  delete t;
  live.fetch_sub(1, std::memory_order_relaxed);
}

int64_t fx_live_tensors(void) { return live.load(std::memory_order_relaxed); }

// Counts a tensor that gotorch made and fx_free will free.
void fx_count_adopted(void) { live.fetch_add(1, std::memory_order_relaxed); }

// The tensor does not own data, which must outlive it and all its views.
fx_error fx_from_blob(void *data, const int64_t *shape, int dims, int dtype, fx_tensor *out) {
  return give(out, [&] {
    return at::from_blob(data, ints(shape, dims), at::TensorOptions().dtype(static_cast<at::ScalarType>(dtype)));
  });
}

fx_error fx_full(const int64_t *shape, int dims, double value, int dtype, int device, fx_tensor *out) {
  return give(out, [&] {
    auto options = at::TensorOptions().dtype(static_cast<at::ScalarType>(dtype)).device(device_of(device));
    return at::full(ints(shape, dims), value, options);
  });
}

// An MT19937 generator whose state is filled from all 64 bits of the seed by SplitMix64. libtorch's own seeding uses
// only 32 of them.
static at::Generator cpu_generator(uint64_t seed) {
  at::mt19937_data_pod start{};
  start.seed_ = seed;
  start.left_ = 1;
  start.seeded_ = true;
  for (auto &word : start.state_) {
    uint64_t z = seed += 0x9E3779B97F4A7C15;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
    z = (z ^ z >> 27) * 0x94D049BB133111EB;
    word = static_cast<uint32_t>((z ^ z >> 31) >> 32);
  }
  at::mt19937 engine;
  engine.set_data(start);
  auto generator = c10::make_intrusive<at::CPUGeneratorImpl>();
  generator->set_engine(engine);
  return at::Generator(generator);
}

// A generator of this draw's own, in which nothing is shared and nothing has to be locked: libtorch locks a generator
// while it draws on CUDA, so that a caller who holds the lock waits for ever.
static at::Generator generator_of(uint64_t seed, int device) {
  if (device < 0) return cpu_generator(seed);
  auto generator = at::detail::getCUDAHooks().getNewGenerator(static_cast<c10::DeviceIndex>(device));
  generator.set_current_seed(seed);
  return generator;
}

// The numbers depend only on the seed and the kind of device: CUDA draws them on the device, with Philox.
fx_error fx_randn(const int64_t *shape, int dims, uint64_t seed, int device, fx_tensor *out) {
  return give(out, [&] {
    const auto options = at::TensorOptions().dtype(at::kFloat).device(device_of(device));
    return at::randn(ints(shape, dims), generator_of(seed, device), options);
  });
}

fx_error fx_alias(fx_tensor x, fx_tensor *out) {
  return give(out, [&] { return *x; });
}

fx_error fx_clone(fx_tensor x, fx_tensor *out) {
  return give(out, [&] { return x->clone(); });
}

fx_error fx_detach(fx_tensor x, fx_tensor *out) {
  return give(out, [&] { return x->detach(); });
}

fx_error fx_to(fx_tensor x, int dtype, int device, int memory_format, fx_tensor *out) {
  return give(out, [&] {
    auto format = memory_format == 0 ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous;
    auto y = x->to(device_of(device), static_cast<at::ScalarType>(dtype), /*non_blocking=*/false, /*copy=*/false);
    return x->dim() == 4 ? y.contiguous(format) : y.contiguous();
  });
}

fx_error fx_copy_(fx_tensor dst, fx_tensor src) {
  return guard([&] {
    at::NoGradGuard no_grad;
    dst->copy_(*src);
  });
}

// Copies the values to data in row-major order, whatever the tensor's device and strides.
fx_error fx_read(fx_tensor x, void *data, int64_t bytes) {
  return guard([&] {
    check_bytes(*x, bytes);
    auto y = x->detach().to(at::kCPU).contiguous();
    memcpy(data, y.data_ptr(), bytes);
  });
}

fx_error fx_write(fx_tensor x, const void *data, int64_t bytes) {
  return guard([&] {
    check_bytes(*x, bytes);
    at::NoGradGuard no_grad;
    x->copy_(at::from_blob(const_cast<void *>(data), x->sizes(), at::TensorOptions().dtype(x->scalar_type())));
  });
}

fx_error fx_item(fx_tensor x, double *out) {
  return guard([&] { *out = x->item().toDouble(); });
}

// The sum of the bits of all elements, float32, as integers modulo 2^64: (1), int64, on the device. It does not depend on
// the order of the elements, and any one flipped bit changes it.
fx_error fx_bit_sum(const fx_tensor *xs, int n, fx_tensor *out) {
  return give(out, [&] {
    at::NoGradGuard no_grad;
    std::vector<at::Tensor> sums;
    for (const auto &x : list(xs, n)) sums.push_back(x.view(at::kInt).sum(at::kLong));
    return at::stack(sums).sum().reshape({1});
  });
}

fx_error fx_same_storage(fx_tensor a, fx_tensor b, bool *out) {
  return guard([&] { *out = a->storage().is_alias_of(b->storage()); });
}
