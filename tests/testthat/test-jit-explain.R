test_that("operators are told with their kernels and the reasons of those in none", {
  skip_if_no_torch()
  skip_if_no_fuser()
  f <- jit_trace(
    function(x, w) torch_tanh(torch_cumsum(torch_matmul(x, w), 1) * 2 + 1)$add_(1), torch_randn(5, 5), torch_randn(5, 5)
  )
  told <- jit_explain(f, torch_randn(50, 50), torch_randn(50, 50))
  expect_equal(told$operator, c("matmul", "cumsum", "mul", "add", "tanh", "add_"))
  expect_equal(is.na(told$kernel), c(TRUE, TRUE, FALSE, FALSE, FALSE, TRUE))
  expect_equal(told$why, c(
    "it has no neighbour to run with", "kernels do not compute it", NA, NA, NA, "it writes into its argument"
  ))
  # Reads two matrices of 50 x 50 floats and writes one; a kernel reads and writes one.
  expect_equal(told$bytes, c(30000, 20000, 20000, NA, NA, 20004), tolerance = 1e-3)
  expect_true(all(told$seconds[c(1:3, 6)] > 0 & told$seconds[c(1:3, 6)] < 10))
  expect_true(all(told$bandwidth[c(1:3, 6)] > 0))
  # 50 x 50 results of 50 products and sums each; three operators on 2,500 numbers; what LibTorch does not count.
  expect_equal(told$operations, c(2 * 50^3, NA, 3 * 2500, NA, NA, NA))
  expect_true(all(told$arithmetic[c(1, 3)] > 0))
  expect_output(print(told), "6 operators: 3 in 1 kernel, 3 by themselves")
  expect_output(print(told[c("operator", "kernel")]), "matmul")
  off <- with_jit_fusion(fuser = "none", code = jit_explain(f, torch_randn(50, 50), torch_randn(50, 50)))
  expect_equal(off$why[3], "the fuser is off")
  picture <- withr::local_tempfile(fileext = ".png")
  grDevices::png(picture)
  plot(told)
  grDevices::dev.off()
  expect_gt(file.size(picture), 0)
  # Products in a kernel count as those outside; a view moves nothing.
  both <- jit_trace(function(x, w) torch_cumsum(torch_relu(torch_mm(x, w)) + 1, 1)$t(), torch_randn(5, 5), torch_randn(5, 5))
  told <- jit_explain(both, torch_randn(50, 20), torch_randn(20, 30))
  expect_equal(told$operations, c(2 * 50 * 20 * 30 + 2 * 50 * 30, NA, NA, NA, NA))
  expect_equal(told$bytes[5], 0)
  expect_equal(told$why[5], "it only shows memory in another way")
  # Modules tell from which of them an operator comes; a loop leaves open which one it was.
  net <- nn_sequential(nn_linear(3, 4), nn_gelu(), nn_linear(4, 1))
  told <- jit_explain(jit_trace(net, torch_randn(5, 3)), torch_randn(5, 3))
  expect_equal(told$operator, c("linear", "gelu", "linear"))
  expect_false(anyNA(told$kernel))
  loop <- jit_compile("def f(x, n: int):\n  for i in range(n):\n    x = torch.matmul(x, x)\n  return x")$f
  expect_true(all(is.na(jit_explain(loop, torch_eye(2), 3L)$seconds)))
  expect_snapshot({
    show_error(jit_explain(function(x) x, 1))
    show_error(jit_explain(f, times = 0))
  })
})

test_that("the reason is that of the call", {
  skip_if_no_torch()
  f <- jit_trace(function(x) torch_tanh(x) * 2, torch_randn(2))
  why <- function(...) jit_explain(f, ...)$why[1]
  expect_identical(why(torch_zeros(0)), "a tensor has no elements")
  expect_identical(why(torch_ones(rep(1, 9))), "a tensor has more than 8 dimensions")
  expect_identical(why(torch_ones(2)$to(dtype = torch_cfloat())), "a tensor has a dtype that kernels do not compute in")
  expect_identical(why(torch_eye(2)$to_sparse()), "a tensor is sparse, a conjugate or the like")
  expect_identical(why(torch_ones(2)), NA_character_)
})

test_that("a program is explained whatever it does, and leaves nothing behind", {
  skip_if_no_torch()
  nothing <- jit_compile("def f(x):\n  return x")$f
  told <- jit_explain(nothing, torch_ones(2))
  expect_identical(dim(told), c(0L, 11L))
  expect_output(print(told), "0 operators")
  x <- torch_ones(3)
  torch_manual_seed(1)
  state <- torch_get_rng_state()
  jit_explain(jit_compile("def f(x):\n  return x.add_(1.) * torch.rand_like(x)")$f, x)
  expect_equal(as.numeric(x), c(1, 1, 1))
  expect_true(torch_equal(torch_get_rng_state(), state))
  net <- nn_batch_norm1d(3)
  traced <- jit_trace(net, torch_randn(5, 3))
  before <- lapply(traced$state_dict(), as_array)
  jit_explain(traced, torch_randn(5, 3))
  expect_identical(lapply(traced$state_dict(), as_array), before)
})

test_that("without a compiler that is the reason", {
  skip_if_no_torch()
  why <- callr::r(function() {
    library(torch)
    f <- jit_trace(function(x) torch_tanh(x) * 2, torch_randn(2))
    jit_explain(f, torch_ones(2))$why
  }, env = c(callr::rcmd_safe_env(), TORCH_KERNEL_CC = "/none"))
  expect_identical(why, rep("there is no compiler of C that could make kernels", 2))
})

test_that("a profile has each operator with its time and where it comes from", {
  skip_if_no_torch()
  profile <- jit_profile(torch_ones(2) + 1)
  expect_identical(as.data.frame(profile), profile$events)
  x <- torch_randn(20, 20, requires_grad = TRUE)
  found <- jit_profile({
    y <- torch_tanh(torch_matmul(x, x))
    y$sum()$backward()
    "value"
  })
  expect_s3_class(found, "jit_profile")
  expect_equal(found$value, "value")
  events <- found$events
  expect_true(all(c("aten::matmul", "aten::mm", "aten::tanh", "aten::sum", "aten::tanh_backward") %in% events$name))
  top <- events[events$depth == 0, ]
  expect_match(top$place[top$name == "aten::matmul"], "torch_matmul(x, x)", fixed = TRUE)
  expect_true(all(events$self >= 0 & events$self <= events$seconds + 1e-9))
  # What runs inside of others counts once.
  expect_lte(sum(events$self), sum(top$seconds) + 1e-6)
  expect_output(print(found), "aten::tanh")
  file <- withr::local_tempfile(fileext = ".json")
  jit_profile_save(found, file)
  written <- jsonlite::fromJSON(file)$traceEvents
  expect_equal(nrow(written), nrow(events))
  expect_equal(written$ph[1], "X")
  picture <- withr::local_tempfile(fileext = ".png")
  grDevices::png(picture)
  plot(found)
  grDevices::dev.off()
  expect_gt(file.size(picture), 0)
  # An error ends it, and there can be a next one, but none inside.
  expect_error(jit_profile(stop("inside")), "inside")
  expect_error(jit_profile(jit_profile(1)), "already", class = "torch_error")
  empty <- jit_profile(1 + 1)
  expect_equal(nrow(empty$events), 0)
  expect_output(print(empty), "0 operators")
  expect_snapshot({
    show_error(jit_profile_save(1, "x"))
    show_error(jit_profile_save(found, 1))
    show_error(plot(empty))
  })
})
