// Copies between the host and a device that nobody waits for, through pinned memory. On the CPU a copy is made at once.
#include <ATen/ATen.h>
#include <c10/core/Event.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <array>
#include <mutex>
#include <thread>

#include "core/guard.h"

using namespace fx;

struct fx_download_state {
  at::Tensor values;
  std::optional<c10::Event> done;  // none on the CPU
};

namespace {

constexpr int most_devices = 128;

// The stream of copies to a device. It is of high priority, since libtorch has other streams of those than of the rest:
// graphs are recorded on the rest.
c10::Stream copy_stream(const at::Device &device) {
  static std::array<std::optional<c10::Stream>, most_devices> streams;
  static std::mutex mutex;
  const std::lock_guard<std::mutex> lock(mutex);
  auto &stream = streams.at(device.index());
  if (!stream) stream = c10::impl::VirtualGuardImpl(at::kCUDA).getStreamFromGlobalPool(device, /*isHighPriority=*/true);
  return *stream;
}

at::Tensor pinned_like(const at::Tensor &x) {
  return at::empty(x.sizes(), at::TensorOptions().dtype(x.scalar_type()).pinned_memory(true));
}

}  // namespace

// The values may change once this returns. libtorch keeps the pinned memory, and the tensor's, until the copies are
// over and the work that uses the tensor is done: the next upload gets other memory.
fx_error fx_upload(const void *data, const int64_t *shape, int dims, int dtype, int device, int memory_format,
                   fx_tensor *out) {
  return give(out, [&] {
    at::NoGradGuard no_grad;
    const auto to = device_of(device);
    const auto options = at::TensorOptions().dtype(static_cast<at::ScalarType>(dtype));
    const auto values = at::from_blob(const_cast<void *>(data), ints(shape, dims), options);
    const auto format = dims == 4 && memory_format == 0 ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous;
    if (to.is_cpu()) return values.clone(format);
    const auto pinned = pinned_like(values).copy_(values);
    const auto here = c10::impl::VirtualGuardImpl(at::kCUDA).getStream(to), copies = copy_stream(to);
    c10::Event done(at::kCUDA);
    at::Tensor y;
    {
      const c10::StreamGuard on(copies);
      y = pinned.to(to, /*non_blocking=*/true).contiguous(format);
      done.record(copies);
    }
    done.block(here);
    y.record_stream(here);
    return y;
  });
}

fx_error fx_download_begin(fx_tensor x, fx_download *out) {
  return guard([&] {
    at::NoGradGuard no_grad;
    auto d = std::make_unique<fx_download_state>();
    if (x->is_cuda()) {
      const c10::DeviceGuard device(x->device());
      d->values = pinned_like(*x);
      d->values.copy_(*x, /*non_blocking=*/true);
      d->done.emplace(at::kCUDA);
      d->done->record(c10::impl::VirtualGuardImpl(at::kCUDA).getStream(x->device()));
    } else {
      d->values = x->detach().clone(at::MemoryFormat::Contiguous);
    }
    *out = d.release();
  });
}

fx_error fx_download_end(fx_download d, const int *stop, void *data, int64_t bytes) {
  return guard([&] {
    check_bytes(d->values, bytes);
    if (d->done && !stop) d->done->synchronize();
    for (auto pause = std::chrono::microseconds(10); d->done && !d->done->query();
         pause = std::min(pause + pause / 8 + std::chrono::microseconds(1), std::chrono::microseconds(1000))) {
      TORCH_CHECK(!stop || !__atomic_load_n(stop, __ATOMIC_RELAXED), "stopped");
      std::this_thread::sleep_for(pause);
    }
    memcpy(data, d->values.data_ptr(), bytes);
  });
}

void fx_download_free(fx_download d) { delete d; }
