// Averages gradients over the ranks while the backward pass still runs: c10d's Reducer, the engine of PyTorch's
// DistributedDataParallel. It gathers gradients in buckets and hands each bucket to the hook below as soon as it is full.
#include <torch/csrc/distributed/c10d/reducer.hpp>

#include <numeric>

#include "dist/group.h"

using namespace fx;

namespace fx {

// Averages a bucket over the ranks. The Reducer asks for the result at the end of the backward pass, where the hook waits
// in a way that can be interrupted; the Reducer's own wait cannot be.
class AverageHook : public c10d::CommHookInterface {
 public:
  AverageHook(Group &group, bool bf16) : group_(group), bf16_(bf16) {}

  const int *stop = nullptr;  // ends the waits; set before each backward pass

  c10::intrusive_ptr<c10::ivalue::Future> runHook(c10d::GradBucket &bucket) override {
    auto &gradients = bucket.getBufferRef();
    gradients.div_(group_.size());
    const auto wire = bf16_ ? gradients.to(at::kBFloat16) : gradients;
    sent_.resize(std::max(sent_.size(), bucket.getIndex() + 1));
    sent_[bucket.getIndex()] = {gradients, wire, group_.all_reduce(wire)};
    auto index = c10::make_intrusive<c10::ivalue::Future>(c10::IntType::get());
    index->markCompleted(static_cast<int64_t>(bucket.getIndex()));
    return index;
  }

  at::Tensor parseHookResult(const c10::IValue &index) override {
    const Sent sent = std::exchange(sent_.at(index.toInt()), {});
    group_.finish_on_stream(sent.work, sent.wire, stop);
    if (bf16_) sent.gradients.copy_(sent.wire);
    return sent.gradients;
  }

 private:
  struct Sent {
    at::Tensor gradients, wire;
    c10::intrusive_ptr<c10d::Work> work;
  };
  Group &group_;
  const bool bf16_;
  std::vector<Sent> sent_;  // by the bucket's index
};

struct Reducer {
  AverageHook *hook;  // the reducer's
  c10d::Reducer reducer;

  // All parameters are one bucket at first; settle divides them.
  Reducer(Group &group, const std::vector<at::Tensor> &params, bool bf16)
      : hook(new AverageHook(group, bf16)),
        reducer(params, {backwards(params.size())}, group.processes, std::vector<bool>(params.size()),
                c10d::kDefaultBucketBytesCap, /*find_unused_parameters=*/false, /*gradient_as_bucket_view=*/true, {},
                c10d::kDefaultFirstBucketBytes, /*skip_all_reduce_unused_params=*/false, /*use_python_reducer=*/false, {}) {
    reducer.register_comm_hook(std::unique_ptr<c10d::CommHookInterface>(hook));
  }

  void prepare(const int *stop) {
    hook->stop = stop;
    reducer.prepare_for_forward();
    reducer.prepare_for_backward({});
  }

  // The Reducer forms its buckets after the first backward pass, in the order in which gradients were ready. With four
  // ranks the order in which a gradient's terms are summed depends on its place in its bucket. So the first pass is made
  // here, on gradients of no interest, for every step of every run to have the same buckets: a resumed run then repeats
  // the bits of one that was never stopped.
  void settle(const std::vector<at::Tensor> &params, const int *stop) {
    prepare(stop);
    for (size_t i : backwards(params.size())) params[i].sum().backward();
    reducer.rebuild_buckets();
    for (const auto &p : params) p.mutable_grad().reset();
  }

 private:
  static std::vector<size_t> backwards(size_t n) {
    std::vector<size_t> order(n);
    std::iota(order.rbegin(), order.rend(), 0);
    return order;
  }
};

}  // namespace fx

fx_error fx_reducer_new(fx_group group, const fx_tensor *params, int n, bool bf16, const int *stop, fx_reducer *out) {
  return guard([&] {
    const auto all = list(params, n);
    auto reducer = std::make_unique<Reducer>(*group, all, bf16);
    reducer->settle(all, stop);
    *out = reducer.release();
  });
}

fx_error fx_reducer_prepare(fx_reducer reducer, const int *stop) {
  return guard([&] { reducer->prepare(stop); });
}

void fx_reducer_free(fx_reducer reducer) { delete reducer; }
