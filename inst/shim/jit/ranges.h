// Where the code of a file came from: the places in the user's own source that travel beside it.
#pragma once
#include <torch/csrc/jit/serialization/source_range_serialization.h>

#include <memory>
#include <string>

#include "guard/casts.h"

namespace shim {

// The source of one file of code, made safe. `ranges`: the bytes of its record of places, empty if there is none.
std::shared_ptr<torch::jit::Source> make_source(const std::string& text, const std::string& file, std::string ranges);

}  // namespace shim
