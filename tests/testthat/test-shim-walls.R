# The walls between the rooms: R glue | plain C header | LibTorch.

includes <- function(files) {
  lines <- unlist(lapply(files, readLines))
  sub("^\\s*#\\s*include\\s*[<\"]([^>\"]+).*", "\\1", grep("^\\s*#\\s*include\\b", lines, value = TRUE))
}

c_compiler <- function() {
  skip_on_os("windows")
  compiler <- strsplit(system2(file.path(R.home("bin"), "R"), c("CMD", "config", "CC"), stdout = TRUE)[1], " ")[[1]][1]
  skip_if(!nzchar(Sys.which(compiler)), "There is no C compiler")
  compiler
}

# Compiles `lines` as C99, strictly; gives the compiler's words, none if all is well.
compile_c <- function(lines, flags = "-fsyntax-only", env = parent.frame()) {
  file <- withr::local_tempfile(fileext = ".c", lines = lines, .local_envir = env)
  options <- c("-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", flags, "-I", shQuote(shim_include()), shQuote(file))
  suppressWarnings(system2(c_compiler(), options, stdout = TRUE, stderr = TRUE))
}

# Names of all functions of the contract.
contract <- function() {
  lines <- grep("^TS_FUNCTION\\(", readLines(file.path(shim_include(), "torch_shim_functions.h")), value = TRUE)
  sub("^TS_FUNCTION\\([^,]*, *(ts_[a-z0-9_]+),.*", "\\1", lines)
}

test_that("the header is plain C", {
  expect_equal(compile_c(c("#include \"torch_shim.h\"", "int kind(void) { return TS_KIND_ANY + TS_INT64; }")), character())
  # The check can fail.
  expect_true(length(compile_c(c("#include \"torch_shim.h\"", "class ts_tensor;"))) > 0)
})

test_that("the header stands alone: it asks for C's own headers only", {
  files <- list.files(shim_include(), full.names = TRUE)
  expect_setequal(basename(files), c("torch_shim.h", "torch_shim_functions.h"))
  expect_setequal(includes(files), c("stddef.h", "stdint.h", "torch_shim_functions.h"))
})

test_that("every function of the contract can be called from C", {
  names <- contract()
  expect_gt(length(names), 70)
  expect_equal(anyDuplicated(names), 0)
  expect_equal(compile_c(c(
    "#include \"torch_shim.h\"",
    "typedef void (*any)(void);",
    "any all[] = {", paste0("  (any)", names, ","), "};"
  )), character())
})

test_that("the glue includes no header of LibTorch", {
  files <- source_files("src", "\\.(cpp|h|c)$")
  expect_gt(length(files), 15)
  expect_equal(grep("^(torch|ATen|c10|caffe2)/", includes(files), value = TRUE), character())
})

test_that("the shim includes no header of R, and its C++ only its own, LibTorch's, the standard library's and the system's", {
  files <- setdiff(source_files("inst/shim", "\\.(cpp|h)$"), source_files("inst/shim/tests", "\\.(cpp|h)$"))
  expect_gt(length(files), 10)
  asked <- includes(files)
  expect_equal(grep("^(R|Rinternals|Rcpp|Rdefines|Rmath|Rversion|R_ext/.*|cpp11.*)(\\.h(pp)?)?$", asked, value = TRUE), character())
  ours <- c(basename(files), sub(".*inst/shim/", "", files))
  others <- setdiff(asked, ours)
  expect_equal(grep("^(torch|ATen|c10|caffe2/serialize)/|^[a-z_]+$|^(stddef|stdint|malloc|unistd|signal|fcntl|pthread|dlfcn|windows|process|immintrin|emmintrin|intrin|cpuid|arm_acle|math|string)\\.h$|^(malloc/malloc|sys/auxv)\\.h$", others, value = TRUE, invert = TRUE), character())
})

test_that("only one file of the glue opens libraries, and R code is run from one place in a trace", {
  files <- source_files("src", "\\.cpp$")
  users <- function(word) basename(files)[vapply(files, function(f) any(grepl(word, readLines(f), fixed = TRUE)), NA)]
  expect_equal(users("dlopen("), "load.cpp")
  expect_equal(users("R_UnwindProtect("), "jump.cpp")
  # XPtr copies cost more than an operator.
  expect_equal(users("XPtr"), character())
})

test_that("the loaded shim was built with the header's text", {
  skip_if_no_torch()
  skip_on_os("windows")
  torch_ones(1)
  # A program of a few lines asks it, as R's glue does.
  library <- withr::local_tempfile(fileext = ".so")
  code <- c(
    "#define _POSIX_C_SOURCE 200809L", "#include <dlfcn.h>", "#include \"torch_shim.h\"",
    "void ask(char **path, char **contract) {",
    "  void *it = dlopen(*path, RTLD_NOW | RTLD_LOCAL);",
    "  char *(*f)(void);",
    "  if (!it) return;",
    "  *(void **)(&f) = dlsym(it, \"ts_contract\");",
    "  *contract = f();",
    "}"
  )
  skip_if(length(compile_c(code, c("-shared", "-fPIC", "-o", shQuote(library)))) > 0, "The C compiler makes no shared library")
  asker <- dyn.load(library)
  withr::defer(dyn.unload(library))
  answer <- .C(getNativeSymbolInfo("ask", asker), normalizePath(shim_path(libtorch_find())), "")
  expect_equal(answer[[2]], paste(tools::md5sum(file.path(shim_include(), c("torch_shim.h", "torch_shim_functions.h"))), collapse = "-"))
})

test_that("the shim shows the functions of the contract and nothing else", {
  skip_if_no_torch()
  skip_on_os(c("windows", "mac"))
  skip_if(!nzchar(Sys.which("nm")), "nm is not installed")
  lines <- system2("nm", c("-D", "--defined-only", shQuote(shim_path(libtorch_find()))), stdout = TRUE)
  parts <- strsplit(trimws(lines), "\\s+")
  functions <- vapply(Filter(function(p) p[2] == "T", parts), `[`, "", 3)
  expect_setequal(functions, contract())
})
