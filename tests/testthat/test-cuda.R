test_that("without a device each function says so", {
  skip_if_no_torch()
  expect_identical(cuda_is_available(), cuda_device_count() > 0)
  skip_if(cuda_is_available(), "This machine has CUDA")
  expect_identical(cuda_get_rng_state(), list())
  expect_invisible(cuda_set_rng_state(list()))
  expect_snapshot({
    show_error(cuda_current_device())
    show_error(cuda_get_device_capability())
    show_error(cuda_get_device_capability(0))
    show_error(cuda_runtime_version())
    show_error(cuda_synchronize())
    show_error(cuda_memory_stats())
    show_error(cuda_memory_summary(1))
    show_error(cuda_empty_cache())
    show_error(cuda_record_memory_history("all"))
    show_error(cuda_memory_snapshot())
    show_error(cuda_dump_memory_snapshot("file"))
    show_error(cuda_get_rng_state(0))
    show_error(cuda_set_rng_state(torch_get_rng_state(), 0))
    show_error(cuda_set_rng_state(torch_get_rng_state()))
  })
})

test_that("statistics of memory are named and printed", {
  numbers <- seq_len(107)
  stats <- new_cuda_memory_stats(numbers)
  expect_s3_class(stats, "cuda_memory_stats")
  expect_length(stats, 13)
  expect_identical(unlist(unclass(stats), use.names = FALSE), as.double(numbers))
  expect_identical(stats$num_ooms, 2)
  expect_identical(stats$oversize_segments, list(current = 8, peak = 9, allocated = 10, freed = 11))
  expect_identical(names(stats$inactive_split_bytes), c("all", "small_pool", "large_pool"))
  expect_identical(stats$inactive_split_bytes$large_pool$freed, 107)
  expect_snapshot(print(new_cuda_memory_stats(c(0, 1, -1, 2^(seq_len(104) %% 50)))))
})

test_that("versions are read as CUDA and cuDNN write them", {
  expect_identical(cuda_version(12040), numeric_version("12.4"))
  expect_identical(cuda_version(11080), numeric_version("11.8"))
  expect_identical(cudnn_version(90102), numeric_version("9.1.2"))
  expect_identical(cudnn_version(8907), numeric_version("8.9.7"))
})

# Two devices that compute nothing (fixtures/cuda.cpp), in a session of their own. The library has the driver's name, so
# that it is found as the driver as well.
with_fake_cuda <- function(code, env = parent.frame()) {
  skip_if_no_torch()
  libtorch <- libtorch_find()
  skip_on_cran()
  skip_if_not_installed("callr")
  skip_on_os(c("windows", "mac"))
  skip_if(libtorch$cuda, "This LibTorch has CUDA")
  skip_if(numeric_version(libtorch$version) < "2.9", "This LibTorch has no c10::DeviceAllocator")
  skip_if(Sys.which("g++") == "", "There is no C++ compiler")
  library <- withr::local_tempfile(fileext = ".so")
  expect_identical(system(paste(
    "g++ -std=c++20 -O0 -fPIC -shared", paste0("-D_GLIBCXX_USE_CXX11_ABI=", libtorch$cxx11_abi),
    libtorch_include_flags(libtorch), shQuote(test_path("fixtures/cuda.cpp")), "-o", library,
    "-Wl,-soname,libcuda.so.1 -L", shQuote(libtorch$lib), "-ltorch_cpu -lc10"
  )), 0L)
  callr::r(function(library, code) {
    library(torch)
    log <- tempfile()
    Sys.setenv(FAKE_CUDA_LOG = log)
    jit_load_library(library)
    list(answer = code(), log = if (file.exists(log)) readLines(log))
  }, list(library, code), env = c(callr::rcmd_safe_env(), CUDA_VISIBLE_DEVICES = ""))
}

test_that("devices answer through LibTorch's hooks", {
  got <- with_fake_cuda(function() {
    out <- list(
      available = cuda_is_available(), count = cuda_device_count(), current = cuda_current_device(),
      runtime = format(cuda_runtime_version()), cudnn = format(backends_cudnn_version()),
      capability = cuda_get_device_capability(1), stats = cuda_memory_stats(0)
    )
    cuda_synchronize()
    cuda_synchronize(0)
    cuda_synchronize("cuda:0")
    cuda_synchronize(torch_device("cuda"))
    cuda_empty_cache()
    states <- cuda_get_rng_state()
    torch_manual_seed(3)
    seeded <- as_array(cuda_get_rng_state(1))
    local_torch_manual_seed_in <- function() {
      local_torch_manual_seed(4)
      as_array(cuda_get_rng_state(1))
    }
    other <- local_torch_manual_seed_in()
    out$states <- length(states)
    out$seeded <- !identical(seeded, as_array(states[[2]])) && !identical(seeded, other)
    out$restored <- identical(as_array(cuda_get_rng_state(1)), seeded)
    cuda_set_rng_state(states)
    out$back <- identical(as_array(cuda_get_rng_state(1)), as_array(states[[2]]))
    cuda_set_rng_state(torch_get_rng_state(), 0)
    out$one <- identical(as_array(cuda_get_rng_state(0)), as_array(torch_get_rng_state()))
    message <- function(code) tryCatch(code, error = function(e) c(class(e)[1], conditionMessage(e)))
    out$errors <- list(
      message(cuda_get_device_capability(2)), message(cuda_memory_stats(-1)), message(cuda_synchronize("cuda:2")),
      message(cuda_synchronize("cpu")), message(cuda_memory_stats(NULL)), message(cuda_set_rng_state(list())),
      message(cuda_record_memory_history("some")), message(cuda_record_memory_history("all", max_entries = 0)),
      message(cuda_memory_snapshot())
    )
    out
  })
  answer <- got$answer
  expect_identical(answer[1:6], list(
    available = TRUE, count = 2L, current = 1L, runtime = "12.4", cudnn = "9.1.2", capability = c(Major = 9L, Minor = 1L)
  ))
  expect_identical(answer$stats$num_ooms, 10)
  expect_identical(answer$stats$allocated_bytes$large_pool$freed, 3 * 2^40)
  expect_identical(answer$stats$allocation$small_pool$peak, 7)
  expect_identical(answer$stats$inactive_split_bytes$large_pool$freed, 9)
  expect_identical(answer$stats$oversize_segments$allocated, 5)
  expect_identical(answer$states, 2L)
  expect_true(answer$seeded && answer$restored && answer$back && answer$one)
  expect_identical(setdiff(got$log, "init 0"), c("synchronize 1", "synchronize 0", "empty 0"))
  expect_identical(sum(got$log == "synchronize 0"), 2L)
  expect_snapshot(writeLines(vapply(answer$errors, paste, "", collapse = ": ")))
})

test_that("a device that fills makes R collect, and one that stays full does not", {
  got <- with_fake_cuda(function() {
    # Whether R's full collection runs while operators are called: it finds what is old.
    collects <- function(allocated) {
      Sys.setenv(FAKE_CUDA_ALLOCATED = allocated)
      found <- FALSE
      local({
        old <- new.env()
        reg.finalizer(old, function(e) found <<- TRUE)
        for (i in 1:3) gc()
      })
      x <- torch_ones(2)
      for (i in 1:40) x + 1
      found
    }
    list(
      little = collects(40), much = collects(450), still = collects(450), grown = collects(520), less = collects(100),
      again = collects(450)
    )
  })
  expect_identical(got$answer, list(little = FALSE, much = TRUE, still = FALSE, grown = TRUE, less = FALSE, again = TRUE))
})
