// R's C interface as the glue uses it. The glue holds plain data and R objects only, so that a longjmp out of any R call
// leaves nothing behind. Everything here must run on R's main thread.
#pragma once
#define R_NO_REMAP
#include <R_ext/Visibility.h>
#include <Rinternals.h>

// What Rcpp::compileAttributes() looks for to register a function under its own name. Its header, which only
// RcppExports.cpp needs, would take most of the time of compiling each file.
#define RcppExport extern "C" attribute_visible

#include "compat.h"
#include "package.h"
#include "status.h"

