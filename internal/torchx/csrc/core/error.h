// The end of an exception: a message for the caller of fx.h. For kernels, which do without libtorch's headers; guard.h
// is for the rest.
#pragma once
#include <cstring>
#include <exception>

#include "fx.h"

namespace fx {

template <class Body>
fx_error caught(Body &&body) {
  try {
    body();
    return nullptr;
  } catch (const std::exception &e) {
    return strdup(e.what());
  }
}

}  // namespace fx
