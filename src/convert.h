// Conversion between R values and ts_value. Operators, compiled functions, loaded modules and traces all use it.
#pragma once
#include "to-sexp.h"
#include "to-value.h"
