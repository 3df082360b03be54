// Functions of the package's own R code, called from the glue.
#pragma once
#define R_NO_REMAP
#include <Rinternals.h>

// The value of the package's R function `name`, called with these arguments.
SEXP call_package(const char* name, SEXP a);
SEXP call_package(const char* name, SEXP a, SEXP b);
SEXP package_namespace();
