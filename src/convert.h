// R values <-> ts_value: the one converter, used by eager operators, compiled functions, loaded modules and tracing.
#pragma once
#include "to-sexp.h"
#include "to-value.h"
