// Integer divisions that no processor can make.
#pragma once

namespace shim {

// Once, before anything is called: LibTorch's operators are replaced by ones that look at their operands.
void replace_divisions();

}  // namespace shim
