// Times the ops of a thread. libtorch calls back at the start and at the end of every op that goes through its
// dispatcher and of every node of a backward pass. A backward pass on the CPU runs on the thread that asks for it.
#include <ATen/record_function.h>

#include <chrono>
#include <unordered_map>

#include "guard.h"

using namespace fx;

struct fx_recording_state {
  std::chrono::steady_clock::time_point began = std::chrono::steady_clock::now();
  at::CallbackHandle callback = at::INVALID_CALLBACK_HANDLE;
  std::vector<fx_span> spans;  // in the order of their starts
  std::vector<int32_t> open;   // spans that have not ended, outermost first
  std::unordered_map<std::string, int32_t> numbers;
  std::vector<const char *> names;  // by number; they point to the map's keys, which never move

  int64_t now() const {
    return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now() - began).count();
  }

  void enter(const char *name) {
    auto [known, fresh] = numbers.try_emplace(name, static_cast<int32_t>(names.size()));
    if (fresh) names.push_back(known->first.c_str());
    const int32_t parent = open.empty() ? -1 : open.back();
    open.push_back(static_cast<int32_t>(spans.size()));
    spans.push_back({0, 0, known->second, parent});
    spans.back().begin = now();
  }

  void leave() {
    spans[open.back()].end = now();
    open.pop_back();
  }
};

namespace {

// Callbacks are plain functions. They find the recording of their thread here.
thread_local fx_recording recording = nullptr;

std::unique_ptr<at::ObserverContext> op_starts(const at::RecordFunction &op) {
  if (recording) recording->enter(op.name());
  return nullptr;
}

void op_ends(const at::RecordFunction &, at::ObserverContext *) {
  if (recording) recording->leave();
}

}  // namespace

fx_error fx_record(fx_recording *out) {
  return guard([&] {
    TORCH_CHECK(!recording, "this thread is being recorded already");
    auto state = std::make_unique<fx_recording_state>();
    state->callback = at::addThreadLocalCallback(at::RecordFunctionCallback(op_starts, op_ends));
    recording = *out = state.release();
  });
}

void fx_enter(fx_recording r, const char *name) { r->enter(name); }

void fx_leave(fx_recording r) { r->leave(); }

fx_error fx_record_end(fx_recording r, fx_recorded *out) {
  return guard([&] {
    TORCH_CHECK(r == recording && r->open.empty(), "a recording ends on its thread, outside of every op");
    at::removeCallback(r->callback);
    recording = nullptr;
    *out = {r->spans.data(), static_cast<int64_t>(r->spans.size()), r->names.data()};
  });
}

void fx_record_free(fx_recording r) { delete r; }
