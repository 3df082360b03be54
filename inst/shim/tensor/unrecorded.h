// Making tensors out of data of the host, and reading tensors for it, is no operation of the user's.
#pragma once

#include "train/recorder.h"

#include <ATen/core/LegacyTypeDispatch.h>

namespace shim {

// While it lives, the tracer, autograd and a recording see nothing: what is made is a constant to them.
struct Unrecorded {
  Unseen unseen;
  at::AutoDispatchBelowADInplaceOrView below_autograd;
  at::tracer::impl::NoTracerDispatchMode below_tracer;
};

}  // namespace shim
