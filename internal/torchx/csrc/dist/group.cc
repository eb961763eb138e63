// Collectives over the ranks of a run, which can be interrupted while they wait.
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>

#include <thread>

#include "core/cuda_kernels.h"
#include "dist/group.h"

using namespace fx;
using c10d::ProcessGroup;
using c10d::ProcessGroupGloo;

namespace {

// c10d notes every collective for PyTorch's debugger, in a table of the process that several groups change at once without
// a lock (FlightRecorder::recordWithResetEnabled). A buffer of no entries turns that off, unless the user wants it.
const bool unrecorded = setenv("TORCH_FR_BUFFER_SIZE", "0", 0) == 0;

// Connects to every other rank, which has to do the same within half a minute. timeout is for the collectives.
c10::intrusive_ptr<c10d::Backend> gloo_backend(const c10::intrusive_ptr<c10d::Store> &store, int rank, int size,
                                               const std::string &address, const std::string &interface,
                                               std::chrono::milliseconds timeout) {
  auto options = ProcessGroupGloo::Options::create(std::chrono::seconds(30));
  options->devices.push_back(interface.empty() ? ProcessGroupGloo::createDeviceForHostname(address)
                                               : ProcessGroupGloo::createDeviceForInterface(interface));
  c10::intrusive_ptr<c10d::Backend> backend = c10::make_intrusive<ProcessGroupGloo>(store, rank, size, options);
  backend->setTimeout(timeout);
  return backend;
}

}  // namespace

at::Tensor fx::flat(const at::Tensor &x) {
  TORCH_CHECK(x.is_non_overlapping_and_dense(), "a tensor with gaps cannot be sent");
  return x.detach().as_strided({x.numel()}, {1});
}

Group::Group(const c10::intrusive_ptr<c10d::Store> &store, int rank, int size, int device, const std::string &address,
             const std::string &interface, std::chrono::milliseconds timeout)
    : processes(c10::make_intrusive<ProcessGroup>(store, rank, size)),
      gloo(gloo_backend(c10::make_intrusive<c10d::PrefixStore>("gloo", store), rank, size, address, interface, timeout)) {
  processes->setBackend(at::kCPU, ProcessGroup::GLOO, gloo);
  processes->setDefaultBackend(ProcessGroup::GLOO);
  if (device < 0) return;
  TORCH_CHECK(cuda_kernels(), "ranks on CUDA need fmsr's CUDA library: make cuda");
  const auto prefixed = c10::make_intrusive<c10d::PrefixStore>("nccl", store);
  nccl = c10::intrusive_ptr<c10d::Backend>::reclaim(
      static_cast<c10d::Backend *>(cuda_kernels()->nccl_backend(prefixed.get(), rank, size, device, timeout.count())));
  processes->setBackend(at::kCUDA, ProcessGroup::NCCL, nccl);
}

c10::intrusive_ptr<c10d::Work> Group::started(c10::intrusive_ptr<c10d::Work> work) {
  under_way++;
  return work;
}

c10::intrusive_ptr<c10d::Work> Group::all_reduce(const at::Tensor &x) {
  std::vector<at::Tensor> tensors{flat(x)};
  return started(backend(x).allreduce(tensors));
}

void Group::finish(c10d::Work &work, const int *stop) {
  struct Waiting {
    std::atomic<bool> &now;
    explicit Waiting(std::atomic<bool> &flag) : now(flag) { now = true; }
    ~Waiting() { now = false; }
  } until_the_end(waiting);
  // pauses of an eighth of the time waited, so that a short wait is not made long and a long one costs nothing
  for (auto pause = std::chrono::microseconds(10); !work.isCompleted();
       pause = std::min(pause + pause / 8 + std::chrono::microseconds(1), std::chrono::microseconds(1000))) {
    if (stop && __atomic_load_n(stop, __ATOMIC_RELAXED)) {
      abort();
      TORCH_CHECK(false, "stopped");
    }
    std::this_thread::sleep_for(pause);
  }
  work.wait();
  under_way--;
}

void Group::finish_on_stream(const c10::intrusive_ptr<c10d::Work> &work, const at::Tensor &x, const int *stop) {
  if (!x.is_cuda()) return finish(*work, stop);
  work->wait();
  on_stream.push_back(work);
}

void Group::check() {
  std::vector<c10::intrusive_ptr<c10d::Work>> left;
  for (const auto &work : on_stream) {
    if (!work->isCompleted()) {
      left.push_back(work);
      continue;
    }
    if (auto failure = work->exception()) std::rethrow_exception(failure);
    under_way--;
  }
  on_stream = std::move(left);
}

fx_error fx_group_open(fx_store store, int rank, int size, int device, const char *address, const char *interface,
                       int64_t timeout_ms, fx_group *out) {
  return guard([&] {
    *out = new Group(store->store, rank, size, device, address, interface, std::chrono::milliseconds(timeout_ms));
  });
}

bool fx_group_waits(fx_group group) { return group->waits(); }

bool fx_group_close(fx_group group) {
  if (group->broken()) return false;
  delete group;
  return true;
}

fx_error fx_all_reduce(fx_group group, fx_tensor x, const int *stop) {
  return guard([&] { group->finish_on_stream(group->all_reduce(*x), *x, stop); });
}

fx_error fx_group_check(fx_group group) {
  return guard([&] { group->check(); });
}

fx_error fx_group_abort(fx_group group) {
  return guard([&] { group->abort(); });
}

fx_error fx_broadcast(fx_group group, fx_tensor x, int root, const int *stop) {
  return guard([&] {
    std::vector<at::Tensor> tensors{flat(*x)};
    c10d::BroadcastOptions options;
    options.rootRank = root;
    group->finish(*group->started(group->backend(*x).broadcast(tensors, options)), stop);
  });
}

fx_error fx_all_gather(fx_group group, fx_tensor x, const int *stop, fx_tensor *out) {
  return guard([&] {
    std::vector<at::Tensor> in{x->detach().contiguous()};
    std::vector<std::vector<at::Tensor>> all(1);
    for (int i = 0; i < group->size(); i++) all[0].push_back(at::empty_like(in[0]));
    group->finish(*group->started(group->backend(*x).allgather(all, in)), stop);
    for (int i = 0; i < group->size(); i++) out[i] = box(all[0][i]);
  });
}

fx_error fx_barrier(fx_group group, const int *stop) {
  return guard([&] {
    auto one = at::zeros({1}, at::kFloat);
    group->finish(*group->all_reduce(one), stop);
  });
}
