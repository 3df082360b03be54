// Whether LibTorch fuses operators into kernels, on the CPU and on GPUs.
#pragma once

namespace shim {

// Sets the defaults. Called once, before the first program runs.
void set_default_fusion();
bool fuses(bool gpu);
void set_fuses(bool gpu, bool value);

}  // namespace shim
