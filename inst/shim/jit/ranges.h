// The places in the author's source that a file of code came from. They travel beside the code.
#pragma once
#include <torch/csrc/jit/serialization/source_range_serialization.h>

#include <memory>
#include <string>

#include "guard/casts.h"

namespace shim {

// A source of one file of code in which casts are made safe (guard/casts.h). `ranges` holds the bytes of the record of
// places; empty: there is none.
std::shared_ptr<torch::jit::Source> make_source(const std::string& text, const std::string& file, std::string ranges);

}  // namespace shim
