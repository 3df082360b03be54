// Which variables of a function may be read before the function has given them a value: R takes them from the functions
// around then, or from the workspace.
#pragma once
#include "script/code.h"

namespace shim::script {

std::map<std::string, EarlyRead> early_reads(const Function& function);

}  // namespace shim::script
