// A key-value store that the ranks of a run share: c10d's TCPStore, which rank 0 or the launcher serves.
#include <c10/util/Logging.h>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include "dist/group.h"

using namespace fx;

namespace {

std::vector<std::string> keys_of(const char *const *keys, int n) { return {keys, keys + n}; }

// c10d logs, with stack traces, what it also throws. The messages are ours to print, unless the user asks for its log.
void log_nothing() {
  if (!getenv("TORCH_CPP_LOG_LEVEL")) FLAGS_caffe2_log_level = c10::GLOG_FATAL;
}

fx_store boxed(c10::intrusive_ptr<c10d::Store> store) { return new Store{std::move(store)}; }

}  // namespace

fx_error fx_store_open(const char *host, int port, bool server, bool shared, int64_t timeout_ms, fx_store *out,
                       int *out_port) {
  return guard([&] {
    log_nothing();
    c10d::TCPStoreOptions options;
    options.port = static_cast<uint16_t>(port);
    options.isServer = server;
    options.waitWorkers = false;
    options.timeout = std::chrono::milliseconds(timeout_ms);
    options.multiTenant = shared;
    options.useLibUV = false;  // libuv's server asks DNS for the name of each peer, and serves nobody until it answers
    auto store = c10::make_intrusive<c10d::TCPStore>(host, options);
    *out_port = store->getPort();
    *out = boxed(store);
  });
}

fx_error fx_store_prefix(fx_store store, const char *name, fx_store *out) {
  return guard([&] { *out = boxed(c10::make_intrusive<c10d::PrefixStore>(name, store->store)); });
}

fx_error fx_store_clone(fx_store store, fx_store *out) {
  return guard([&] { *out = boxed(store->store->clone()); });
}

void fx_store_free(fx_store store) { delete store; }

fx_error fx_store_set(fx_store store, const char *key, const uint8_t *data, int64_t n) {
  return guard([&] { store->store->set(key, std::vector<uint8_t>(data, data + n)); });
}

fx_error fx_store_wait(fx_store store, const char *key, int64_t timeout_ms, bool *there) {
  return guard([&] {
    *there = false;
    try {
      store->store->wait({key}, std::chrono::milliseconds(timeout_ms));
      *there = true;
    } catch (const c10::DistStoreError &) {  // the time is up
    }
  });
}

fx_error fx_store_get(fx_store store, const char *key, uint8_t **data, int64_t *n) {
  return guard([&] {
    const auto value = store->store->get(key);
    *n = static_cast<int64_t>(value.size());
    *data = static_cast<uint8_t *>(malloc(value.size() + 1));
    memcpy(*data, value.data(), value.size());
  });
}

fx_error fx_store_check(fx_store store, const char *const *keys, int n, bool *all) {
  return guard([&] { *all = store->store->check(keys_of(keys, n)); });
}

fx_error fx_store_add(fx_store store, const char *key, int64_t n, int64_t *sum) {
  return guard([&] { *sum = store->store->add(key, n); });
}

fx_error fx_store_delete(fx_store store, const char *key, bool *was_there) {
  return guard([&] { *was_there = store->store->deleteKey(key); });
}
