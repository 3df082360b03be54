// Recording of operators. While a recording runs, a fallback of LibTorch's dispatcher sees every operator, also those
// that compute gradients. Composite operators are seen as the operators that they are made of. Only code on the
// recording thread is seen, and what LibTorch's engine does for it.
#pragma once
#include "train/tape.h"

#include <memory>

namespace shim {

bool is_recording() noexcept;

// Refuses the recording, because the code reads values of tensors and may do something else for other values. `how`
// says how. Without effect while nothing is recorded.
void note_read(const char* how) noexcept;

// While an object of this class lives, operators of this thread are not recorded.
struct Unseen {
  c10::impl::ExcludeDispatchKeyGuard guard{c10::DispatchKey::TESTING_ONLY_GenericMode};
};

}  // namespace shim
