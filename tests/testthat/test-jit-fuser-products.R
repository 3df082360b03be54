# Products of matrices and sums of columns as parts of groups: steps between kernels.

# Functions of a matrix of 4 rows and 5 columns, one of 5 rows and 3 columns, and numbers for 3 columns.
product_functions <- list(
  mm = function(x, w, b) nnf_relu(torch_mm(x, w)), mm_first = function(x, w, b) torch_mm(x * 2, w),
  linear = function(x, w, b) torch_tanh(nnf_linear(x, torch_t(w), b)), no_bias = function(x, w, b) nnf_linear(torch_exp(x), torch_t(w)),
  addmm = function(x, w, b) torch_sigmoid(torch_addmm(b, x, w)), addmm_scaled = function(x, w, b) torch_addmm(b, x, w, beta = 0.5, alpha = 2) + 1,
  matmul = function(x, w, b) torch_matmul(x, w) * b, turned = function(x, w, b) torch_mm(torch_t(w), torch_t(x)) + 1,
  turned_twice = function(x, w, b) torch_mm(torch_t(torch_t(x)), w) - b, itself = function(x, w, b) torch_mm(x, torch_t(x)) * 2,
  gram = function(x, w, b) torch_mm(torch_t(x), x)$tanh(), between = function(x, w, b) torch_mm(torch_mm(x, w)$tanh(), torch_t(w)) + x,
  shared = function(x, w, b) {
    y <- torch_mm(x, w)
    torch_exp(y - torch_amax(y, 2, TRUE)) * y
  },
  softmax = function(x, w, b) nnf_softmax(nnf_linear(x, torch_t(w), b), 2), norm = function(x, w, b) torch_mm(nnf_layer_norm(x, 5), w) * b,
  loss = function(x, w, b) nnf_mse_loss(torch_mm(x, w) + b, torch_mm(torch_relu(x), w)), sum = function(x, w, b) torch_sum(torch_mm(x, w) * b),
  column = function(x, w, b) torch_mm(x, w[, 1:1]) * 2, row = function(x, w, b) nnf_linear(x[1, ] * 2, torch_t(w), b),
  three = function(x, w, b) nnf_relu(nnf_linear(torch_stack(list(x, x * 2)), torch_t(w), b)),
  column_sums = function(x, w, b) torch_sum(x * 2, 1) + 1, column_sums_kept = function(x, w, b) torch_sum(torch_exp(x), 1, TRUE) * x,
  column_means = function(x, w, b) x - torch_mean(x * x, 1), sums_of_product = function(x, w, b) torch_sum(torch_mm(x, w), 1) * b,
  sums_of_three = function(x, w, b) torch_sum(torch_stack(list(x, x * 2)) * 2, c(1, 2)) * x,
  attention = function(x, w, b) torch_mm(nnf_softmax(torch_mm(x, torch_t(x)) / 2, -1), torch_mm(x, w))
)

product_arguments <- function(dtype, layout = "rows") {
  torch_manual_seed(1)
  one <- function(...) torch_randn(...)$to(dtype = dtype)
  lain <- switch(layout,
    rows = identity,
    columns = function(x) x$t()$contiguous()$t(),
    spread = function(x) torch_stack(list(x, x), -1)$select(-1, 1),
    part = function(x) torch_cat(list(x, x), 2)[, 1:x$size(2)],
    one_row = function(x) x[1:1, ]$expand(x$shape)
  )
  list(lain(one(4, 5)), lain(one(5, 3)), one(3))
}

test_that("a product in a group gives what the operator gives, and the same gradients", {
  skip_if_no_torch()
  skip_if_no_fuser()
  expect_fused_alike(product_functions, product_arguments)
})

test_that("matrices may lie in memory in any way", {
  skip_if_no_torch()
  skip_if_no_fuser()
  for (layout in c("columns", "spread", "part", "one_row")) {
    for (name in c("mm", "linear", "turned", "between", "three")) {
      found <- do.call(fused_distances, c(list(product_functions[[name]]), product_arguments("float", layout)))
      expect_lt(found$value, 1e-4, label = paste(name, layout))
      expect_lt(found$gradients, 1e-4, label = paste("gradients of", name, layout))
    }
  }
  # The result has the sizes of an argument whose columns lie one after the other.
  square <- function(x, y) torch_relu(torch_mm(x, y)) + x
  found <- fused_distances(square, torch_randn(16, 16)$t(), torch_randn(16, 16))
  expect_lt(max(found$value, found$gradients), 1e-4)
  # Sizes of 1, and of many rows.
  local_at_once()
  f <- jit_trace(product_functions$linear, torch_ones(4, 5), torch_ones(5, 3), torch_ones(3))
  for (sizes in list(c(1, 1, 1), c(1, 7, 1), c(300, 1, 2), c(1, 1, 9), c(65, 33, 129))) {
    arguments <- list(torch_randn(sizes[1], sizes[2]), torch_randn(sizes[2], sizes[3]), torch_randn(sizes[3]))
    expected <- do.call(product_functions$linear, arguments)
    # Beside the largest: small ones are differences of large ones.
    expect_lt((do.call(f, arguments) - expected)$abs()$max()$item(), 1e-5 * expected$abs()$max()$item())
    expect_equal(fused_groups(f), "")
  }
})

test_that("sums of many rows are as exact as LibTorch's", {
  skip_if_no_torch()
  skip_if_no_fuser()
  local_at_once()
  f <- jit_trace(function(x) torch_sum(x * 1, 1) + 0, torch_ones(2, 2))
  for (shape in list(c(100003, 3), c(1000, 33), c(1, 5), c(63, 1), c(65, 64))) {
    x <- torch_rand(shape)
    expected <- torch_sum(x$to(dtype = "double"), 1)
    # Half a unit in the last place of the sum, and what sums of 64 rows lose.
    expect_lte((f(x)$to(dtype = "double") - expected)$abs()$max()$item(), 3e-7 * expected$max()$item())
    expect_equal(fused_groups(f), "")
  }
})

test_that("half precision and sizes that do not fit are LibTorch's", {
  skip_if_no_torch()
  skip_if_no_fuser()
  local_at_once()
  arguments <- product_arguments("bfloat16")
  f <- do.call(jit_trace, c(list(product_functions$linear), arguments))
  # Two of its eight binary digits: versions of LibTorch round products of halves at other places.
  expect_lt(distance_of(do.call(f, arguments), do.call(product_functions$linear, arguments), 1), 0.03)
  expect_error(f(torch_ones(4, 6)$to(dtype = "bfloat16"), arguments[[2]], arguments[[3]]), class = "torch_error")
  expect_error(f(torch_ones(4, 5), arguments[[2]], arguments[[3]]), class = "torch_error")
})

test_that("results of products that are results themselves, and products of products, stay apart", {
  skip_if_no_torch()
  skip_if_no_fuser()
  local_at_once()
  f <- function(x, w) {
    y <- torch_mm(x, w)
    z <- torch_relu(y)
    list(y, z, torch_mm(z, torch_t(w)), y * 2)
  }
  x <- torch_randn(32, 16)
  w <- torch_randn(16, 16)
  fused <- jit_trace(f, x, w)
  for (i in 1:2) got <- fused(x, w)
  expect_equal(fused_groups(fused), "")
  expected <- f(x, w)
  for (i in seq_along(expected)) expect_lt(distance_of(got[[i]], expected[[i]]), 1e-4)
  # No result is another one's memory.
  got[[1]]$zero_()
  for (i in 2:4) expect_lt(distance_of(got[[i]], expected[[i]]), 1e-4)
})

test_that("what leads only to results that are not used has no gradient", {
  skip_if_no_torch()
  skip_if_no_fuser()
  local_at_once()
  f <- jit_trace(function(x, v, w) {
    h <- torch_tanh(x * 2)
    list(torch_relu(torch_mm(h, v)), torch_sigmoid(torch_mm(h, w)))
  }, torch_ones(2, 3), torch_ones(3, 4), torch_ones(3, 5))
  for (i in 1:3) {
    x <- torch_randn(2, 3, requires_grad = TRUE)
    v <- torch_randn(3, 4, requires_grad = TRUE)
    w <- torch_randn(3, 5, requires_grad = TRUE)
    out <- f(x, v, w)
    expect_equal(fused_groups(f), "")
    used <- if (i == 2) 2 else 1
    out[[used]]$sum()$backward()
    expect_identical(is_undefined_tensor(v$grad), used == 2)
    expect_identical(is_undefined_tensor(w$grad), used == 1)
    h <- torch_tanh(x$detach()$requires_grad_() * 2)
    if (used == 1) expect_lt(distance_of(v$grad, torch_mm(h$t(), (torch_mm(h, v) > 0)$to(dtype = "float"))), 1e-4)
    expect_gt(x$grad$abs()$sum()$item(), 0)
  }
})

test_that("derivatives of gradients go through products", {
  skip_if_no_torch()
  skip_if_no_fuser()
  local_at_once()
  f <- function(x, w) torch_tanh(torch_mm(torch_tanh(torch_mm(x, w)), w))$sum()
  second <- function(f, x, w) {
    g <- autograd_grad(f(x, w), list(x, w), create_graph = TRUE)
    autograd_grad(g[[1]]$pow(2)$sum() + g[[2]]$pow(2)$sum(), list(x, w))
  }
  x <- torch_randn(3, 4, dtype = torch_double(), requires_grad = TRUE)
  w <- torch_randn(4, 4, dtype = torch_double(), requires_grad = TRUE)
  fused <- jit_trace(f, x, w)
  fused(x, w)
  got <- second(fused, x, w)
  expected <- second(f, x, w)
  for (i in 1:2) expect_lt(distance_of(got[[i]], expected[[i]]), 1e-9)
})

test_that("a network is one group, forward and backward, and a weight that changes is seen", {
  skip_if_no_torch()
  skip_if_no_fuser()
  local_at_once()
  net <- nn_sequential(nn_linear(9, 17), nn_gelu(), nn_layer_norm(17), nn_linear(17, 17), nn_silu(), nn_linear(17, 2))
  x <- torch_randn(6, 9)
  traced <- jit_trace(net, x)
  traced(x)
  expect_true(all(fused_groups(traced) == ""))
  expect_equal(unique(fused_operators(script_method(traced, "forward"))), paste0("aten::", c(
    "linear", "gelu", "layer_norm", "linear", "silu", "linear"
  ), collapse = " "))
  by_hand <- function(f) {
    net$zero_grad()
    f(x)$pow(2)$sum()$backward()
    lapply(net$parameters, function(p) as_array(p$grad))
  }
  by_hand(traced)
  expect_equal(by_hand(traced), by_hand(net), tolerance = 1e-4)
  with_no_grad(net[[1]]$weight$mul_(2))
  with_no_grad(expect_lt(distance_of(traced(x), net(x)), 1e-4))
  file <- withr::local_tempfile(fileext = ".pt")
  jit_save(traced, file)
  loaded <- jit_load(file)
  with_no_grad({
    loaded(x)
    expect_lt(distance_of(loaded(x), net(x)), 1e-4)
  })
  expect_true(all(fused_groups(loaded) == ""))
})
