// Recording: while one runs, a fallback of LibTorch's dispatcher sees every operator, also those by which gradients are
// computed, after composite ones have been taken apart. Only code on the recording thread, and what LibTorch's engine does
// for it, is seen.
#pragma once
#include "train/tape.h"

#include <memory>

namespace shim {

bool is_recording() noexcept;

// The recorded code reads values of tensors: what it does may depend on them.
void note_read(const char* how) noexcept;

// While one lives, operators are not seen.
struct Unseen {
  c10::impl::ExcludeDispatchKeyGuard guard{c10::DispatchKey::TESTING_ONLY_GenericMode};
};

}  // namespace shim
