// What the files of this folder share: the boxes behind fx_store and fx_group, and how a collective is waited for.
#pragma once
#include <torch/csrc/distributed/c10d/ProcessGroup.hpp>

#include "core/guard.h"

namespace fx {

struct Store {
  c10::intrusive_ptr<c10d::Store> store;
};

// The ranks of a run, as c10d connects them: gloo for tensors on the CPU and, if the group has a CUDA device, NCCL for
// tensors on it.
class Group {
 public:
  Group(const c10::intrusive_ptr<c10d::Store> &store, int rank, int size, int device, const std::string &address,
        const std::string &interface, std::chrono::milliseconds timeout);
  ~Group() {
    if (nccl) nccl->shutdown();
  }

  int size() const { return processes->getSize(); }

  // The backend for tensors like x.
  c10d::Backend &backend(const at::Tensor &x) const { return x.is_cuda() ? *nccl : *gloo; }

  // Starts the sum of x over the ranks, in place. x may have any strides without gaps or overlap.
  c10::intrusive_ptr<c10d::Work> all_reduce(const at::Tensor &x);

  // Notes a work that has been started. Each goes through finish or, after a failure, is still under way.
  c10::intrusive_ptr<c10d::Work> started(c10::intrusive_ptr<c10d::Work> work);

  // Returns when the work is done. It throws what the work throws and, as soon as *stop is not 0, "stopped".
  void finish(c10d::Work &work, const int *stop);

  // Finishes the work for the device's current stream: on CUDA, without waiting for the device. check then says
  // whether it came to a good end.
  void finish_on_stream(const c10::intrusive_ptr<c10d::Work> &work, const at::Tensor &x, const int *stop);

  // Throws what a work has thrown that finish_on_stream let pass and that has ended since. If NCCL aborts a work, because
  // another rank is gone, the work that is queued after it runs on numbers that mean nothing.
  void check();

  // Ends the kernels of NCCL that wait for other ranks.
  void abort() {
    if (nccl) nccl->abort();
  }

  // Reports whether finish waits for other ranks now. Any thread may ask.
  bool waits() const { return waiting; }

  // Reports whether a work that was started never finished. The group is then left as it is: its destructor would wait
  // for that work.
  bool broken() const { return under_way > 0; }

  c10::intrusive_ptr<c10d::ProcessGroup> processes;

 private:
  c10::intrusive_ptr<c10d::Backend> gloo, nccl;
  std::vector<c10::intrusive_ptr<c10d::Work>> on_stream;  // that finish_on_stream let pass
  std::atomic<int64_t> under_way{0};
  std::atomic<bool> waiting{false};
};

// The memory of x, without gaps, as a tensor of one dimension.
at::Tensor flat(const at::Tensor &x);

}  // namespace fx
