// What libtorch keeps for each thread or for the process.
#include <ATen/Parallel.h>
#include <ATen/autocast_mode.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "guard.h"

using namespace fx;

// Starts the program once more with a short GOMP_SPINCOUNT where nothing is said of how OpenMP's threads wait: it reads
// that as it is loaded. By itself it spins for 3 ms at barriers, which costs a factor of ten where other processes want
// the cores; a small network's step takes 1.4 to 1.7 times as long when threads sleep at once.
static void wait_briefly(int, char **arguments, char **environment) {
  static char spins[] = "GOMP_SPINCOUNT=1000";  // about 10 us
  std::vector<char *> with{spins};
  for (char **variable = environment; *variable; variable++) {
    for (const char *said : {"OMP_WAIT_POLICY=", "GOMP_SPINCOUNT="})
      if (strncmp(*variable, said, strlen(said)) == 0) return;
    with.push_back(*variable);
  }
  with.push_back(nullptr);
  execve(reinterpret_cast<const char *>(getauxval(AT_EXECFN)), arguments, with.data());  // if it fails: slower at worst
}

// Called before the libraries' constructors, which take ten times as long as loading them.
[[gnu::section(".preinit_array"), gnu::used]] static void (*const before_libraries)(int, char **, char **) =
    wait_briefly;

// For the calling thread and those born later: the first question makes the thread's
// lazily made settings, which would otherwise overwrite the answer.
fx_error fx_set_num_threads(int n) {
  return guard([&] {
    at::get_num_threads();
    at::set_num_threads(n);
  });
}

int fx_get_num_threads(void) { return at::get_num_threads(); }

bool fx_set_grad_mode(bool on) {
  const bool was = at::GradMode::is_enabled();
  at::GradMode::set_enabled(on);
  return was;
}

static at::DeviceType type_of(int device) { return device_of(device).type(); }

fx_error fx_autocast_begin(int device, bool bf16) {
  return guard([&] {
    at::autocast::set_autocast_enabled(type_of(device), bf16);
    at::autocast::set_autocast_dtype(type_of(device), at::kBFloat16);
    at::autocast::set_autocast_cache_enabled(true);
  });
}

fx_error fx_autocast_end(int device) {
  return guard([&] {
    at::autocast::clear_cache();
    at::autocast::set_autocast_enabled(type_of(device), false);
  });
}

fx_error fx_cuda_device_count(int *out) {
  return guard([&] { *out = static_cast<int>(at::detail::getCUDAHooks().deviceCount()); });
}

// Without such instructions libtorch emulates the products, at a fifth of float32's speed.
bool fx_has_bf16(int device) {
  if (device >= 0) return true;
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx512bf16") || __builtin_cpu_supports("amx-bf16");
#else
  return false;
#endif
}

fx_error fx_synchronize(int device) {
  return guard([&] {
    if (device >= 0) c10::impl::VirtualGuardImpl(at::kCUDA).synchronizeDevice(device);
  });
}
