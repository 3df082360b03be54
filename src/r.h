// R's C interface as the glue uses it. The glue holds plain data and R objects only, so that a longjmp out of a call
// into R skips no destructor that matters. Everything here must run on R's main thread.
#pragma once
#define R_NO_REMAP
#include <R_ext/Visibility.h>
#include <Rinternals.h>

// Rcpp::compileAttributes() looks for this word to register a function under its own name. Rcpp's header, which would
// take most of the time of compiling a file, is needed by RcppExports.cpp only.
#define RcppExport extern "C" attribute_visible

#include "compat.h"
#include "package.h"
#include "status.h"

