# Bytes that tensors hold, by the shim's own count; `peak` since the last reset.
memory <- function(reset = FALSE) as.list(cpp_memory_stats(reset))
full_gc <- function() for (i in 1:2) gc(full = TRUE)

MB <- 1e6
block <- function(bytes) torch_empty(bytes / 4, dtype = torch_float32())

test_that("what a tensor holds is counted, and given back when R collects it", {
  skip_if_no_torch()
  torch_ones(1)
  full_gc()
  before <- memory()$live
  x <- block(40 * MB)
  held <- memory()$live - before
  expect_gte(held, 40 * MB)
  expect_lt(held, 41 * MB)
  # A view holds no memory of its own, and keeps that of its base.
  y <- x$view(c(2, -1))
  expect_equal(memory()$live - before, held)
  rm(x)
  full_gc()
  expect_equal(memory()$live - before, held)
  rm(y)
  full_gc()
  expect_lt(memory()$live - before, 1 * MB)
})

test_that("1e5 tensors are freed", {
  skip_if_no_torch()
  x <- torch_ones(10)
  full_gc()
  before <- memory()$live
  kept <- vector("list", 1e5)
  for (i in seq_along(kept)) kept[[i]] <- torch_relu(x)
  # At least their numbers, 64 bytes at a time.
  expect_gte(memory()$live - before, 1e5 * 40)
  rm(kept)
  full_gc()
  expect_lt(memory()$live - before, 1e5)
})

test_that("a small tensor that waits to be freed keeps nothing large", {
  skip_if_no_torch()
  w <- torch_ones(1, requires_grad = TRUE)
  full_gc()
  before <- memory(reset = TRUE)$live
  x <- block(40 * MB)
  views <- lapply(1:10, function(i) x[i])
  graphs <- lapply(1:10, function(i) w * x[i])
  rm(x, views, graphs)
  full_gc()
  # The peak rises if the first block is still held.
  block(40 * MB)
  expect_lt(memory()$peak - before, 41 * MB)
})

# Highest count while `code` runs, over what was held before, in multiples of `bytes`.
peak_of <- function(code, bytes) {
  full_gc()
  before <- memory(reset = TRUE)$live
  force(code)
  (memory()$peak - before) / bytes
}

test_that("loops of large temporaries stay below six of them", {
  skip_if_no_torch()
  one <- 40 * MB
  expect_lt(peak_of(for (i in 1:40) block(one), one), 6)
  x <- torch_zeros(one / 4)
  expect_lt(peak_of(for (i in 1:40) x <- x + 1, one), 6)
  expect_equal(as.numeric(x[1]), 40)
  # Three in each pass.
  expect_lt(peak_of(for (i in 1:20) torch_relu(x)$mul(2)$add(1), one), 3 * 6)
  # In place there is nothing to collect.
  expect_lt(peak_of(for (i in 1:10) x$add_(1), one), 0.1)
})

test_that("a loop that keeps nothing costs no full collection", {
  skip_if_no_torch()
  # Only a full collection finds an old object unused. R itself makes one of about every hundredth, so there are tries.
  is_full <- function() {
    found <- FALSE
    old <- new.env()
    reg.finalizer(old, function(e) found <<- TRUE)
    full_gc()
    found <- FALSE
    rm(old)
    for (i in 1:60) block(40 * MB)
    found
  }
  expect_false(is_full() && is_full() && is_full())
})

test_that("a loop of backward passes stays below six of its tensors", {
  skip_if_no_torch()
  one <- 20 * MB
  w <- torch_ones(one / 4, requires_grad = TRUE)
  # Each pass makes the product, its square, and their gradients.
  peak <- peak_of(for (i in 1:20) {
    w$grad <- NULL
    (w * 2)$pow(2)$sum()$backward()
  }, one)
  expect_lt(peak, 12)
  expect_equal(as.numeric(w$grad[1]), 8)
})

test_that("large results of as_array() are not forgotten by the collector", {
  skip_if_no_torch()
  x <- torch_ones(5e6)
  expect_lt(peak_of(for (i in 1:20) as.numeric(x), 40 * MB), 6)
})

test_that("values outlive the tensor they came from", {
  skip_if_no_torch()
  x <- torch_arange(1, 1e6, dtype = torch_float64())
  values <- as_array(x)
  rm(x)
  full_gc()
  # What was freed is used again.
  for (i in 1:20) torch_zeros(1e6, dtype = torch_float64())
  expect_equal(values, as.numeric(1:1e6))
  # And the other way.
  numbers <- as.numeric(1:1e6)
  y <- torch_tensor(numbers, dtype = torch_float64())
  numbers[1] <- -1
  rm(numbers)
  full_gc()
  expect_equal(as.numeric(y$sum()), 1e6 * (1e6 + 1) / 2)
  # Vectors of the store are ordinary vectors: changed, copied, saved.
  values[5] <- NA
  expect_equal(which(is.na(unserialize(serialize(values, NULL)))), 5)
})

test_that("a freed block is used again", {
  skip_if_no_torch()
  # An allocator that gives a block back to the system writes into it or drops its pages; a kept one is as it was.
  # A failed allocation empties the store, which earlier tests may have filled.
  try(torch_empty(1e15, dtype = torch_uint8()), silent = TRUE)
  x <- torch_full(3e5, 1234.5)
  rm(x)
  full_gc()
  y <- torch_empty(3e5)
  expect_true(as.logical(torch_all(y == 1234.5)))
})

# Runs `code` in a session whose options are `options` before LibTorch is loaded.
with_options <- function(options, code) {
  skip_if_not_installed("callr")
  callr::r(function(options, code) {
    options(options)
    library(torch)
    code()
  }, list(options, code))
}

test_that("the options say by how much tensors grow before R collects", {
  skip_if_no_torch()
  peak <- function() {
    for (i in 1:80) torch_empty(1e6)
    torch:::cpp_memory_stats(FALSE)[["peak"]] / 4e6
  }
  at_start <- with_options(list(), peak)
  # 160 MiB in blocks of 4 MB.
  expect_gt(at_start, 35)
  expect_lt(at_start, 48)
  expect_lt(with_options(list(torch.threshold_call_gc = 8), peak), 10)
  expect_gt(with_options(list(torch.threshold_call_gc = 400), peak), 70)
})

test_that("the options say what is kept of freed blocks", {
  skip_if_no_torch()
  # Whether a new tensor holds what the last one of its size held. malloc() gives blocks of more than 32 MB back at once.
  reused <- function() {
    reuse <- function(bytes) {
      x <- torch_full(bytes / 4, 1234.5)
      rm(x)
      for (i in 1:2) gc(full = TRUE)
      as.logical(torch_all(torch_empty(bytes / 4) == 1234.5))
    }
    c(small = reuse(4e4), large = reuse(4e7), larger = reuse(8e7))
  }
  as_set <- function(...) with_options(list(...), reused)
  expect_identical(as_set()[-1], c(large = TRUE, larger = TRUE))
  expect_identical(as_set(torch.cpu_cache_enabled = FALSE)[-1], c(large = FALSE, larger = FALSE))
  expect_identical(as_set(torch.cpu_cache_max_size_mb = 60)[-1], c(large = TRUE, larger = FALSE))
  expect_identical(as_set(torch.cpu_cache_min_block_size = 6e7)[-1], c(large = FALSE, larger = TRUE))
  expect_identical(as_set(torch.cpu_cache_min_block_size = 1024), c(small = TRUE, large = TRUE, larger = TRUE))
  later <- eval(bquote(function() {
    set_cpu_allocator_config(cache_enabled = FALSE)
    .(reused)()
  }))
  expect_identical(with_options(list(), later)[-1], c(large = FALSE, larger = FALSE))
})

test_that("kept blocks are given back", {
  skip_if_no_torch()
  skip_if(!file.exists("/proc/self/statm"), "The system does not tell what a process holds")
  resident <- function() scan("/proc/self/statm", quiet = TRUE)[2] * 4096
  x <- torch_ones(25 * MB)
  rm(x)
  full_gc()
  before <- resident()
  expect_invisible(cpu_cache_flush())
  expect_gt(before - resident(), 90 * MB)
})

test_that("settings that are none are refused", {
  skip_if_no_torch()
  expect_snapshot({
    show_error(set_cpu_allocator_config("much"))
    show_error(set_cpu_allocator_config(-1))
    show_error(set_cpu_allocator_config(cache_enabled = NA))
    show_error(set_cpu_allocator_config(cache_max_size_mb = c(1, 2)))
    show_error(set_cpu_allocator_config(cache_min_block_size = 0))
  })
  # And LibTorch stays unloaded until they are mended.
  expect_identical(
    with_options(list(torch.threshold_call_gc = "a", torch.cuda_allocator_allocated_rate = 2), function() {
      text <- function() tryCatch(torch_ones(1), error = conditionMessage)
      one <- text()
      options(torch.threshold_call_gc = NULL)
      two <- text()
      options(torch.cuda_allocator_allocated_rate = NULL)
      c(one, two, torch_ones(1)$item())
    }),
    c(
      "`torch.threshold_call_gc` must be a positive number of at most 1e+12, not the character \"a\".",
      "`torch.cuda_allocator_allocated_rate` must be a positive number of at most 1, not the number 2.", "1"
    )
  )
})

test_that("no memory is an error that names the size, after one collection", {
  skip_if_no_torch()
  torch_ones(1)
  collected <- FALSE
  local({
    e <- new.env()
    reg.finalizer(e, function(e) collected <<- TRUE)
  })
  error <- tryCatch(torch_empty(1e15, dtype = torch_uint8()), error = identity)
  expect_s3_class(error, c("torch_memory_error", "torch_error"))
  expect_match(conditionMessage(error), "^There is not enough memory: 909.5 TiB were asked for, and tensors hold ")
  expect_equal(conditionCall(error)[[1]], quote(torch_empty))
  expect_true(collected)
  expect_equal(as.numeric(torch_ones(2) + 1), c(2, 2))
})

test_that("garbage makes room when memory is short", {
  skip_if_no_torch()
  skip_if_not_installed("callr")
  skip_if(!nzchar(Sys.which("prlimit")), "prlimit is not installed")
  said <- callr::r(libpath = .libPaths(), timeout = 300, function() {
    library(torch)
    torch_ones(1)
    status <- readLines("/proc/self/status")
    size <- as.numeric(gsub("[^0-9]", "", grep("^VmSize", status, value = TRUE))) * 1024
    # Room for one large tensor and a half.
    one <- 400e6
    system2("prlimit", c("--pid", Sys.getpid(), sprintf("--as=%.0f", size + 1.5 * one)))
    make <- function() torch_empty(one / 4)
    made <- 0
    for (i in 1:4) {
      x <- make()
      made <- made + x$numel() / (one / 4)
      rm(x)
    }
    kept <- make()
    full <- tryCatch(make(), torch_memory_error = function(e) "no memory")
    list(made = made, full = full, alive = as.numeric(torch_ones(1)))
  })
  expect_equal(said, list(made = 4, full = "no memory", alive = 1))
})

test_that("garbage makes room in every way into LibTorch, and nothing is computed twice", {
  skip_if_no_torch()
  skip_if_not_installed("callr")
  skip_if(!nzchar(Sys.which("prlimit")), "prlimit is not installed")
  said <- callr::r(libpath = .libPaths(), timeout = 300, function() {
    library(torch)
    one <- 400e6
    n <- one / 4
    add <- jit_compile("def f(x: Tensor) -> Tensor:\n  return x + 1.0\n")$f
    add(torch_ones(1))
    w <- torch_ones(1, requires_grad = TRUE)
    (w * 1)$sum()$backward()
    positions <- torch_tensor(c(1L, 2L))
    positions[positions]
    torch_ones(2, 2)[positions, ]
    count <- torch_zeros(1)
    base <- torch_ones(n)
    gc()
    status <- readLines("/proc/self/status")
    size <- as.numeric(gsub("[^0-9]", "", grep("^VmSize", status, value = TRUE))) * 1024
    # Room for two more large tensors and a half: each way finds it full of garbage.
    system2("prlimit", c("--pid", Sys.getpid(), sprintf("--as=%.0f", size + 2.5 * one)))
    fill <- function() for (i in 1:2) tryCatch(torch_empty(n), torch_memory_error = identity)
    ways <- list(
      operator = function() (base + 1)[1],
      creation = function() torch_zeros(n)[1],
      index = function() base$view(c(2, -1))[positions, ][1, 1],
      script = function() add(base)[1],
      script_after_write = function() {
        count$add_(1)
        add(base)[1]
      },
      backward = function() {
        w$grad <- NULL
        (base * w)$sum()$backward()
        w$grad
      }
    )
    out <- lapply(ways, function(way) {
      fill()
      tryCatch(as.numeric(way()), error = conditionMessage)
    })
    # Where there is none, TorchScript's error is of the class too.
    kept <- list(torch_empty(n), torch_empty(n))
    fails <- function(code) tryCatch({
      code
      "no error"
    }, torch_memory_error = function(e) "no memory", error = conditionMessage)
    c(out, script_fails = fails(add(base)), index_fails = fails(base$view(c(2, -1))[positions, ]), count = as.numeric(count))
  })
  expect_equal(said, list(
    operator = 2, creation = 0, index = 1, script = 2, script_after_write = 2, backward = 1e8,
    script_fails = "no memory", index_fails = "no memory", count = 1
  ))
})

test_that("the hot path holds what it makes while R collects all the time", {
  skip_if_no_torch()
  x <- torch_tensor(matrix(c(1, 2, 3, 4), 2))
  f <- jit_trace(function(x) torch_relu(x) * 2, x)
  tuple <- jit_compile("def f(x: List[int], y: Optional[str] = None) -> Tuple[int, List[str], Dict[str, float]]:
  return (len(x), ['a', 'b'], {'k': 0.5})")$f
  net <- nn_linear(2, 1)
  # All is called once, so that nothing is made for the first time below.
  calls <- function() {
    list(
      sum = as_array(x + x),
      number = as_array(2 - x),
      method = as_array(x$mul(3)),
      field = x$shape,
      index = as.numeric(x[2, 1]),
      traced = as_array(f(x)),
      list = lapply(torch_unbind(x, dim = 1), as.numeric),
      several = lapply(torch_max(x, dim = 2), as.numeric),
      given = as.numeric(torch_cat(list(x, x), dim = 1)$sum()),
      results = tuple(1:3, "a"),
      made = as_array(torch_tensor(c(1.5, 2))),
      net = dim(net(x))
    )
  }
  calls()
  gctorture2(3)
  result <- tryCatch(calls(), finally = gctorture2(0))
  m <- matrix(c(1, 2, 3, 4), 2)
  expect_equal(result, list(
    sum = 2 * m, number = 2 - m, method = 3 * m, field = c(2, 2), index = 2, traced = 2 * m,
    list = list(c(1, 3), c(2, 4)), several = list(c(3, 4), c(2, 2)), given = 20,
    results = list(3, list("a", "b"), list(k = 0.5)), made = c(1.5, 2), net = c(2, 1)
  ))
})

test_that("tracing, compiling and files hold what they make while R collects all the time", {
  skip_if_no_torch()
  file <- withr::local_tempfile()
  x <- torch_tensor(c(-1, 2))
  calls <- function() {
    f <- jit_trace(function(a, l) jit_tuple(list(a + l[[1]], l[[2]])), x, list(x, x))
    jit_save(f, file)
    c(as.numeric(jit_load(file)(x, list(x, x))[[1]]), jit_compile("def f(x: int) -> int:\n  return x + 1\n")$f(1L))
  }
  calls()
  gctorture2(20)
  result <- tryCatch(calls(), finally = gctorture2(0))
  expect_equal(result, c(-2, 4, 2))
})
