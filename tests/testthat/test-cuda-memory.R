MiB <- 2^20
block_on_cuda <- function(bytes) torch_empty(floor(bytes / 4), dtype = torch_float(), device = "cuda")
in_use <- function() cuda_memory_stats()$allocated_bytes$all$current
reserved <- function() cuda_memory_stats()$reserved_bytes$all$current
total <- function() {
  as.numeric(python_eval("result = torch.cuda.get_device_properties(0).total_memory"))
}

test_that("statistics follow what tensors hold", {
  skip_if_no_cuda()
  other <- block_on_cuda(1024)
  for (i in 1:2) gc(full = TRUE)
  before <- in_use()
  x <- block_on_cuda(100 * MiB)
  expect_equal(in_use() - before, 100 * MiB)
  y <- x$view(c(2, -1))
  rm(x)
  for (i in 1:2) gc(full = TRUE)
  expect_equal(in_use() - before, 100 * MiB)
  rm(y)
  for (i in 1:2) gc(full = TRUE)
  expect_equal(in_use(), before)
  # What was freed is kept until it is given back.
  kept <- reserved()
  expect_gte(kept, 100 * MiB)
  cuda_empty_cache()
  expect_lte(reserved(), kept - 100 * MiB)
  stats <- cuda_memory_stats("cuda:0")
  expect_gte(stats$allocated_bytes$all$peak, 100 * MiB)
  expect_identical(stats$num_ooms, 0)
  expect_output(cuda_memory_summary(), "allocated bytes")
})

test_that("loops of large temporaries stay below a share of the device", {
  skip_if_no_cuda()
  one <- total() / 40
  x <- block_on_cuda(one)$fill_(0)
  for (i in 1:200) x <- x + 1
  expect_equal(x[1]$item(), 200)
  stats <- cuda_memory_stats()
  expect_lt(stats$allocated_bytes$all$peak, 0.2 * total())
  expect_identical(stats$num_ooms, 0)
})

test_that("no memory is an error after one collection, and nothing else", {
  skip_if_no_cuda()
  collected <- FALSE
  local({
    e <- new.env()
    reg.finalizer(e, function(e) collected <<- TRUE)
  })
  error <- tryCatch(torch_empty(2^44, dtype = torch_uint8(), device = "cuda"), error = identity)
  expect_s3_class(error, c("torch_memory_error", "torch_error"))
  expect_match(conditionMessage(error), "not enough memory of the CUDA device")
  expect_true(collected)
  expect_equal(conditionCall(error)[[1]], quote(torch_empty))
  expect_equal(as.numeric(torch_ones(2, device = "cuda") + 1), c(2, 2))
  # In other entries than an operator.
  x <- torch_ones(1e6, device = "cuda")
  is_short <- function(code) expect_s3_class(tryCatch(code, error = identity), "torch_memory_error")
  is_short(x$unsqueeze(2) + x$unsqueeze(1)$expand(c(1000000, 1000000)))
  f <- jit_trace(function(x) torch_ones_like(x)$unsqueeze(2)$matmul(x$unsqueeze(1)), torch_ones(2, device = "cuda"))
  is_short(f(x))
  is_short(jit_compile("def f(x):\n  return x.unsqueeze(1) + x.unsqueeze(0)")$f(x))
  w <- torch_ones(1, device = "cuda", requires_grad = TRUE)
  is_short({
    y <- w * 2
    y$register_hook(function(g) x$unsqueeze(2) + x$unsqueeze(1))
    y$sum()$backward()
  })
  is_short(torch_ones(1e6)$unsqueeze(2)$expand(c(1000000, 1000000))$to(device = "cuda"))
  expect_equal((x + 1)$sum()$item(), 2e6)
})

test_that("garbage makes room when the device is full", {
  skip_if_no_cuda()
  cuda_empty_cache()
  one <- total() / 5
  # Each is garbage when the next is made, which fits only when that is collected.
  for (i in 1:15) {
    x <- block_on_cuda(one)
    rm(x)
  }
  kept <- lapply(1:3, function(i) block_on_cuda(one))
  x <- block_on_cuda(one)
  rm(x)
  x <- block_on_cuda(one)
  expect_equal(x$numel(), floor(one / 4))
  rm(x, kept)
  gc(full = TRUE)
  cuda_empty_cache()
})

test_that("history and snapshot are what PyTorch's viewer reads", {
  skip_if_no_cuda()
  file <- withr::local_tempfile(fileext = ".pickle")
  cuda_record_memory_history("all", max_entries = 1000)
  x <- block_on_cuda(3 * MiB)
  y <- x + 1
  rm(x)
  gc(full = TRUE)
  cuda_dump_memory_snapshot(file)
  expect_type(cuda_memory_snapshot(), "raw")
  cuda_record_memory_history(NULL)
  theirs <- python_eval("
import pickle
snapshot = pickle.load(open(file, 'rb'))
result = dict(names=sorted(snapshot), segments=len(snapshot['segments']),
  actions=sorted({e['action'] for t in snapshot['device_traces'] for e in t}),
  sizes=sorted({e['size'] for t in snapshot['device_traces'] for e in t if e['action'] == 'alloc'}))
", file = file)
  expect_true(all(c("segments", "device_traces") %in% theirs$names))
  expect_gt(theirs$segments, 0)
  expect_true("alloc" %in% theirs$actions && any(grepl("^free", theirs$actions)))
  expect_true((3 * MiB) %in% theirs$sizes)
})

test_that("a failed kernel is an error, and R lives on", {
  skip_if_no_cuda()
  skip_if_not_installed("callr")
  # An index that LibTorch checks on the device only leaves the process without the device, not without R.
  said <- callr::r(function() {
    library(torch)
    x <- torch_ones(3, device = "cuda")
    say <- function(code) tryCatch({
      code
      cuda_synchronize()
      "no error"
    }, error = conditionMessage)
    list(
      first = say(jit_ops$aten$index_select(x, 0L, torch_tensor(7L, device = "cuda", dtype = torch_long()))),
      later = say(as.numeric(torch_ones(1, device = "cuda") + 1)), cpu = as.numeric(torch_ones(1) + 1)
    )
  }, stderr = NULL)
  expect_match(said$first, "GPU failed")
  expect_lt(nchar(said$first), 300)
  expect_match(said$later, "start a new one")
  expect_identical(said$cpu, 2)
})
