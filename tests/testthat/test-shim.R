skip_on_os("windows")
skip_if(length(shim_tools_lacking()) > 0, "CMake or a C++20 compiler is missing")

local_libtorch <- function(env = parent.frame()) {
  root <- local_machine(env)
  withr::local_envvar(TORCH_HOME = fake_libtorch(file.path(root, "home")), .local_envir = env)
  root
}

test_that("the shim is built once and kept by its key", {
  local_libtorch()
  lt <- libtorch_find()
  expect_null(shim_path(lt))
  path <- suppressMessages(torch_build_shim())
  expect_equal(path, shim_path(lt))
  expect_true(file.exists(path))
  expect_equal(list.files(torch_cache("shim")), sort(c("build.log", shim_key(lt))))
  expect_true(torch_is_installed())

  built <- file.mtime(path)
  expect_message(torch_build_shim(), NA)
  expect_equal(file.mtime(path), built)
  expect_message(torch_build_shim(force = TRUE), "Building")
  expect_gt(file.mtime(path), built)
})

test_that("the key depends on the sources and on LibTorch", {
  local_libtorch()
  lt <- libtorch_find()
  key <- shim_key(lt)
  expect_match(key, "^2[.]9[.]1-")
  expect_false(shim_key(replace(lt, "cuda", TRUE)) == key)
  expect_false(shim_key(replace(lt, "cxx11_abi", "0")) == key)
  dir.create(file.path(the$shim_source, "tests"))
  writeLines("", file.path(the$shim_source, "tests/test.cpp"))
  expect_equal(shim_key(lt), key)
  writeLines("", file.path(the$shim_source, "more.cpp"))
  expect_false(shim_key(lt) == key)
})

test_that("only the newest shims are kept", {
  local_machine()
  for (i in 1:7) {
    path <- torch_cache("shim", i, shim_file())
    dir.create(dirname(path), recursive = TRUE)
    file.create(path)
    Sys.setFileTime(path, as.POSIXct("2024-01-01") + i)
  }
  shim_forget_old()
  expect_setequal(list.files(torch_cache("shim")), 3:7)
})

test_that("a failing build shows the end of its log and leaves only the log", {
  local_libtorch()
  writeLines("oops", file.path(the$shim_source, "shim.cpp"))
  expect_error(torch_build_shim(quiet = TRUE), "whole log is in .*build.log.*oops", class = "runtime_error")
  expect_equal(list.files(torch_cache("shim")), "build.log")
})

test_that("missing tools are named with the command that installs them", {
  root <- local_libtorch()
  withr::local_envvar(PATH = file.path(root, "bin"), CXX = NA)
  expect_snapshot(show_error(torch_build_shim()))
})

test_that("without LibTorch there is nothing to build for", {
  local_machine()
  expect_snapshot(show_error(torch_build_shim()))
})

test_that("a compiler with a C++ library of its own is named, and its shim is not kept", {
  skip_on_os(c("windows", "mac"))
  skip_if(!nzchar(Sys.which("g++")), "g++ is not installed")
  folder <- withr::local_tempdir()
  source <- file.path(folder, "a.cpp")
  writeLines("#include <iostream>\nvoid f(int n) { std::cout << n; }", source)
  built <- function(...) {
    file <- file.path(folder, "a.so")
    expect_equal(system2("g++", c("-shared", "-fPIC", ..., "-o", file, source)), 0)
    file
  }
  expect_false(shim_has_own_library(built()))
  expect_true(shim_has_own_library(built("-static-libstdc++")))
})

test_that("as many files are compiled at a time as there are cores and gigabytes, or as is asked for", {
  withr::local_envvar(CMAKE_BUILD_PARALLEL_LEVEL = "3")
  expect_identical(build_jobs(), "3")
  withr::local_envvar(CMAKE_BUILD_PARALLEL_LEVEL = NA, `_R_CHECK_LIMIT_CORES_` = "TRUE")
  expect_true(build_jobs() %in% c("1", "2"))
  withr::local_envvar(`_R_CHECK_LIMIT_CORES_` = NA)
  expect_true(as.numeric(build_jobs()) %in% 1:8)
})
