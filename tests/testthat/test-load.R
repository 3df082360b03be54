# Loading, each case in an R process of its own.

# Runs `f` in a child with the libraries of this process. LD_DEBUG and the like go in by `env`.
in_child <- function(f, args = list(), env = character()) {
  skip_if_not_installed("callr")
  callr::r(f, args, libpath = .libPaths(), env = c(callr::rcmd_safe_env(), env), timeout = 300)
}

# Mapped files whose name matches.
mapped_in_child <- function(env = character()) {
  skip_if_not(file.exists("/proc/self/maps"), "This system has no /proc/self/maps")
  in_child(env = env, function() {
    mapped <- function(pattern) {
      files <- unique(sub("^[^/]*", "", grep("/", readLines("/proc/self/maps"), value = TRUE)))
      grep(pattern, files, value = TRUE)
    }
    pattern <- "/lib(torch|c10|torch_cpu|torchshim)[^/]*[.]so"
    library(torch)
    attached <- mapped(pattern)
    # Neither facts about types nor about the installation need it.
    print(torch_float32())
    installed <- torch_is_installed()
    before <- mapped(pattern)
    value <- as.numeric(torch_tensor(c(1, 2)) + 1)
    after <- mapped(pattern)
    libtorch <- torch:::libtorch_find()
    wanted <- c(torch:::libtorch_files(libtorch), torch:::shim_path(libtorch))
    list(
      attached = attached, before = before, after = after, value = value, installed = installed,
      wanted = normalizePath(wanted), folder = normalizePath(libtorch$lib)
    )
  })
}

test_that("LibTorch is mapped by the first operator, from the chosen files only", {
  skip_if_no_torch()
  maps <- mapped_in_child()
  expect_equal(maps$attached, character())
  expect_equal(maps$before, character())
  expect_true(maps$installed)
  expect_equal(maps$value, c(2, 3))
  expect_true(all(maps$wanted %in% maps$after))
  outside <- setdiff(maps$after, maps$wanted)
  expect_equal(dirname(outside), rep(maps$folder, length(outside)))
})

test_that("another LibTorch on the library path is not taken", {
  skip_if_no_torch()
  skip_on_os(c("windows", "mac"))
  # A folder that offers a libtorch_cpu.so of its own, which is no library at all: to take it would be an error.
  folder <- withr::local_tempdir()
  for (name in c("libc10.so", "libtorch_cpu.so", "libtorch.so")) writeLines("nothing", file.path(folder, name))
  path <- paste(c(folder, Sys.getenv("LD_LIBRARY_PATH")), collapse = ":")
  maps <- mapped_in_child(env = c(LD_LIBRARY_PATH = path, R_LD_LIBRARY_PATH = path))
  expect_equal(maps$value, c(2, 3))
  expect_false(any(startsWith(maps$after, folder)))
})

test_that("R's BLAS does not replace the one inside LibTorch", {
  skip_if_no_torch()
  skip_if_not(identical(tolower(Sys.info()[["sysname"]]), "linux"), "LD_DEBUG is glibc's")
  skip_if(startsWith(libtorch_find()$lib, "/usr/lib"), "Debian's LibTorch has no BLAS of its own")
  log <- file.path(withr::local_tempdir(), "bindings")
  in_child(function() {
    library(torch)
    # R's own BLAS is in the process first.
    diag(2) %*% diag(2)
    as_array(torch_matmul(torch_ones(2, 2), torch_ones(2, 2)))
  }, env = c(LD_DEBUG = "bindings", LD_DEBUG_OUTPUT = log))
  lines <- unlist(lapply(Sys.glob(paste0(log, ".*")), function(file) {
    grep("normal symbol `[sd]gemm_'", readLines(file, warn = FALSE), value = TRUE)
  }))
  # "binding file <user> [0] to <provider> [0]: normal symbol `sgemm_'"
  user <- basename(sub(".*binding file (\\S+) .*", "\\1", lines))
  provider <- basename(sub(".* to (\\S+) \\[.*", "\\1", lines))
  skip_if(!any(user == "libtorch_cpu.so"), "This LibTorch does not call sgemm_ by its name")
  expect_equal(unique(provider[user == "libtorch_cpu.so"]), "libtorch_cpu.so")
})

test_that("a TORCH_HOME without a LibTorch is an error that names it", {
  folder <- withr::local_tempdir()
  said <- in_child(env = c(TORCH_HOME = folder), function() {
    library(torch)
    tell <- function(expr) tryCatch(expr, error = function(e) list(class(e), conditionMessage(e)))
    tell(torch_ones(1))
  })
  expect_true("torch_error" %in% said[[1]])
  expect_match(said[[2]], "`TORCH_HOME` holds no LibTorch", fixed = TRUE)
  expect_match(said[[2]], folder, fixed = TRUE)
})

test_that("without any LibTorch the package loads, says what is missing, and the rest of it works", {
  folder <- withr::local_tempdir()
  # A python3 first on the path that has no torch.
  writeLines(c("#!/bin/sh", "exit 1"), file.path(folder, "python3"))
  Sys.chmod(file.path(folder, "python3"), "755")
  said <- in_child(env = c(
    TORCH_HOME = "", R_USER_CACHE_DIR = file.path(folder, "cache"),
    PATH = paste(folder, Sys.getenv("PATH"), sep = .Platform$path.sep)
  ), function() {
    library(torch)
    home <- get("the", asNamespace("torch"))
    home$system <- tempdir()
    tell <- function(expr) tryCatch(expr, error = function(e) list(class(e), conditionMessage(e)))
    Net <- nn_module(forward = function(x) x)
    list(
      installed = torch_is_installed(),
      dtype = utils::capture.output(print(torch_float32())),
      operator = tell(torch_ones(1)),
      tensor = tell(torch_tensor(1)),
      again = tell(torch_relu(1)),
      compile = tell(jit_compile("def f(x):\n  return x\n")),
      load = tell(jit_load(system.file("DESCRIPTION", package = "torch"))),
      module = inherits(Net(), "nn_module"),
      dataset = length(dataset(.length = function() 3L, .getitem = function(i) i)())
    )
  })
  expect_false(said$installed)
  expect_match(said$dtype, "Float")
  expect_true(said$module)
  expect_equal(said$dataset, 3)
  for (case in said[c("operator", "tensor", "again", "compile", "load")]) {
    expect_true("torch_install_error" %in% case[[1]])
    expect_match(case[[2]], "LibTorch is not installed. Run `install_torch()`", fixed = TRUE)
  }
})

test_that("a shim of another contract, or no shim at all, is refused with what to do", {
  skip_on_os("windows")
  compiler <- strsplit(system2(file.path(R.home("bin"), "R"), c("CMD", "config", "CC"), stdout = TRUE)[1], " ")[[1]][1]
  skip_if(!nzchar(Sys.which(compiler)), "There is no C compiler")
  folder <- withr::local_tempdir()
  compile <- function(name, code) {
    writeLines(code, file.path(folder, paste0(name, ".c")))
    library <- file.path(folder, paste0(name, ".so"))
    system2(compiler, c("-shared", "-fPIC", "-o", shQuote(library), shQuote(file.path(folder, paste0(name, ".c")))))
    library
  }
  files <- c(
    other = compile("other", "const char *ts_contract(void) { return \"another\"; }"),
    half = compile("half", sprintf("const char *ts_contract(void) { return \"%s\"; }", shim_contract())),
    empty = compile("empty", "int nothing(void) { return 0; }"),
    missing = file.path(folder, "missing.so")
  )
  said <- in_child(args = list(files), function(files) {
    library(torch)
    tell <- function(expr) tryCatch({
      expr
      "no error"
    }, torch_install_error = conditionMessage)
    messages <- lapply(files, function(file) tell(torch:::cpp_load_shim(character(), file, torch:::shim_contract())))
    c(messages, list(libraries = tell(torch:::cpp_load_shim(files[["missing"]], files[["other"]], "")), loaded = torch:::cpp_is_loaded()))
  })
  expect_match(said$other, "was built for another version of this package", fixed = TRUE)
  expect_match(said$other, "torch_build_shim(force = TRUE)", fixed = TRUE)
  expect_match(said$half, "has no function `ts_", fixed = TRUE)
  expect_match(said$empty, "has no function `ts_contract`", fixed = TRUE)
  expect_match(said$missing, "Can't open `.*missing.so`")
  expect_match(said$libraries, "Can't open `.*missing.so`")
  expect_false(said$loaded)
})

test_that("loading again changes nothing", {
  skip_if_no_torch()
  x <- torch_tensor(c(1, 2))
  expect_identical(load_torch(), TRUE)
  files <- libtorch_files(libtorch_find())
  expect_equal(cpp_load_shim(files, shim_path(libtorch_find()), shim_contract()), libtorch_find()$version)
  expect_equal(as.numeric(x + 1), c(2, 3))
})

test_that("a LibTorch that is not the chosen one is refused", {
  skip_if_no_torch()
  skip_if_not(file.exists("/proc/self/maps"), "This system has no /proc/self/maps")
  torch_ones(1)
  expect_null(check_mapped(libtorch_files(libtorch_find())))
  other <- withr::local_tempfile(pattern = "libtorch_cpu", lines = "")
  expect_error(check_mapped(other), "another LibTorch than the one chosen", class = "torch_install_error")
})
