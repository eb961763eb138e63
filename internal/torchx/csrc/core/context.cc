// libtorch's settings of a thread and of the process, and what a device can do.
#include <ATen/Parallel.h>
#include <ATen/autocast_mode.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <sched.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "guard.h"
#include "simd/cpu.h"

using namespace fx;

// Executes the program a second time, in the same process, with GOMP_SPINCOUNT=1000 in its environment. OpenMP reads
// the environment while it is loaded, so setting the variable later would have no effect. The second start finds the
// variable and goes on; if the user has set it or OMP_WAIT_POLICY, there is no second start for it.
//
// By default OpenMP's threads spin for 3 ms at a barrier, which makes a step ten times slower when other processes want
// the cores. Threads that sleep at once make a small network's step 1.4 to 1.7 times slower. 1000 spins, some 10 us,
// avoid both.
//
// Where the process has one core, OMP_NUM_THREADS=1 is set too: gotorch would ask libtorch for half a core, no thread,
// and end the process.
static void set_environment(int, char **arguments, char **environment) {
  static char spins[] = "GOMP_SPINCOUNT=1000", one[] = "OMP_NUM_THREADS=1";
  cpu_set_t cores;
  bool spins_set = false, threads_set = sched_getaffinity(0, sizeof cores, &cores) != 0 || CPU_COUNT(&cores) > 1;
  std::vector<char *> with;
  for (char **variable = environment; *variable; variable++) {
    const auto is = [&](const char *name) { return strncmp(*variable, name, strlen(name)) == 0; };
    spins_set |= is("OMP_WAIT_POLICY=") || is("GOMP_SPINCOUNT=");
    threads_set |= is("OMP_NUM_THREADS=") || is("MKL_NUM_THREADS=");
    with.push_back(*variable);
  }
  if (spins_set && threads_set) return;
  if (!spins_set) with.push_back(spins);
  if (!threads_set) with.push_back(one);
  with.push_back(nullptr);
  execve(reinterpret_cast<const char *>(getauxval(AT_EXECFN)), arguments, with.data());  // if it fails, fmsr is slower
}

// Runs before the constructors of the libraries, which take ten times as long as loading the libraries does.
[[gnu::section(".preinit_array"), gnu::used]] static void (*const before_libraries)(int, char **, char **) =
    set_environment;

// Sets the number of threads of the calling thread and of threads that start later. libtorch initializes a thread's
// settings at the first question; asking first keeps that from overwriting ours.
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

// Without devices, the error says why: no driver, or one that is too old.
fx_error fx_cuda_device_count(int *out) {
  return guard([&] {
    *out = static_cast<int>(at::detail::getCUDAHooks().deviceCount());
    if (*out == 0) at::globalContext().lazyInitDevice(at::kCUDA);
  });
}

int fx_best_cpu_level(void) { return static_cast<int>(best_level()); }
int fx_cpu_level(void) { return static_cast<int>(level); }
void fx_set_cpu_level(int to) { level = static_cast<Level>(to); }

// GPUs have instructions for bf16 since Ampere. Without them, libtorch emulates bf16 products, at a fifth of the speed of
// float32's.
bool fx_has_bf16(int device) {
  bool has = device < 0 && has_avx512bf16();
  if (device >= 0)
    fx_free_string(guard([&] {
      const c10::DeviceGuard on(device_of(device));
      has = at::detail::getCUDAHooks().supportsBFloat16ConvolutionWithCuDNNv8();
    }));
  return has;
}

fx_error fx_synchronize(int device) {
  return guard([&] {
    if (device >= 0) c10::impl::VirtualGuardImpl(at::kCUDA).synchronizeDevice(device);
  });
}
