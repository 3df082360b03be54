# Views and batched products as parts of groups: memory that is read in another order or shape, and products of many matrices.

# Functions of two tensors of 2 x 3 x 4 x 5 numbers and a matrix of 5 x 5.
view_functions <- list(
  transpose = function(x, y, w) torch_exp(x$transpose(2, 3) * y$transpose(2, 3)), turned = function(x, y, w) x$transpose(-1, -2) * 2 + 1,
  permute = function(x, y, w) torch_tanh(x$permute(c(4, 2, 1, 3)) + 1) * y$permute(c(4, 2, 1, 3)),
  permute_negative = function(x, y, w) torch_tanh(x * 2)$permute(c(-1, 1, -2, 2)) + 1,
  view = function(x, y, w) torch_sigmoid(x$view(c(6, 20)) * y$view(c(6, 20))), view_open = function(x, y, w) torch_exp(x$view(c(-1, 10)) / 3) * 2,
  flatten = function(x, y, w) torch_tanh(torch_flatten(x * y, start_dim = 2)) + 1, flatten_some = function(x, y, w) torch_flatten(x * y, start_dim = 2, end_dim = 3) * 2,
  unflatten = function(x, y, w) torch_exp(x * y)$unflatten(3, c(2, 2)) + 1,
  unsqueeze = function(x, y, w) (x * 2)$unsqueeze(2) * y$unsqueeze(2), squeeze = function(x, y, w) torch_amax(x * 2, 4, TRUE)$squeeze(4) + 1,
  reduced = function(x, y, w) torch_sum(x * y, 4)$unsqueeze(4) * x, reduced_elsewhere = function(x, y, w) torch_sum(x * y, 4)$unsqueeze(1) * 2,
  lies_otherwise = function(x, y, w) torch_tanh(x$transpose(1, 3))$reshape(c(4, -1)) * 2,
  contiguous = function(x, y, w) (x * y)$transpose(2, 3)$contiguous()$view(c(2, 4, 15)) + 1,
  there_and_back = function(x, y, w) (x$transpose(2, 4) * 2)$transpose(2, 4) * y, twice = function(x, y, w) x$transpose(1, 2)$transpose(2, 3) * 2 + 1,
  softmax = function(x, y, w) nnf_softmax(x$transpose(2, 4) * 2, -1), sum = function(x, y, w) torch_sum(x$transpose(2, 4) * 2) * y,
  bmm = function(x, y, w) torch_bmm(x$view(c(6, 4, 5)), y$view(c(6, 5, 4))) * 2, bmm_turned = function(x, y, w) torch_bmm(x$view(c(6, 4, 5)), y$view(c(6, 4, 5))$transpose(2, 3)) + 1,
  bmm_first = function(x, y, w) torch_bmm(x$view(c(6, 4, 5))$transpose(2, 3), torch_tanh(y)$view(c(6, 4, 5))),
  baddbmm = function(x, y, w) torch_baddbmm(w, x$view(c(6, 5, 4)), y$view(c(6, 4, 5)))$tanh(),
  baddbmm_scaled = function(x, y, w) torch_baddbmm(w, x$view(c(6, 5, 4)), y$view(c(6, 4, 5)), beta = 2, alpha = 0.5)$tanh() * 2,
  matmul = function(x, y, w) torch_matmul(x * 2, y$transpose(3, 4)) + 1, both = function(x, y, w) torch_matmul(x$transpose(3, 4), y$transpose(3, 4)$transpose(3, 4)) * 2,
  by_matrix = function(x, y, w) torch_matmul(x * 2, w$transpose(1, 2)) + y, itself = function(x, y, w) torch_matmul(x, x$transpose(3, 4)) * 2,
  repeated = function(x, y, w) torch_matmul(x$narrow(1, 1, 1) * 2, y$transpose(3, 4)) + 1,
  repeated_second = function(x, y, w) torch_matmul(x * 2, y$narrow(2, 1, 1)$transpose(3, 4)$tanh()) + 1,
  fewer_dimensions = function(x, y, w) torch_matmul(torch_tanh(x), y$view(c(2, 3, 4, 5))$transpose(3, 4)$narrow(1, 1, 1)$squeeze(1) + 1) * 2,
  matrix_first = function(x, y, w) torch_matmul(torch_tanh(w), y$transpose(3, 4) + 1) * 2,
  written_in_order = function(x, y, w) torch_matmul(x * 2, w)$tanh()$transpose(2, 3)$reshape(c(2, 4, 15)) * 2,
  read_twice = function(x, y, w) {
    z <- torch_matmul(x, y$transpose(3, 4))
    z$transpose(2, 3)$reshape(c(2, 4, 12))$sum() + torch_tanh(z) * 2
  },
  sum_arrives = function(x, y, w) torch_minimum((x$narrow(4, 1, 1) * 1.4)$unsqueeze(1)$squeeze(1), y * 2) + 1,
  sum_arrives_at_product = function(x, y, w) torch_matmul(x, y$narrow(3, 1, 1)$transpose(3, 4)) + torch_exp(y$narrow(4, 1, 2)),
  sum_of_all_arrives = function(x, y, w) (torch_sum(x * 2)$view(c(1, 1, 1, 1))$transpose(1, 2) + 1) * y,
  linear = function(x, y, w) nnf_linear(x$transpose(2, 3), w)$relu()$flatten(start_dim = 3) * 2,
  heads = function(x, y, w) {
    heads <- function(z) nnf_linear(z$view(c(2, 12, 5)), w)$view(c(2, 4, 3, 5))$transpose(2, 3)
    scores <- torch_matmul(heads(x), heads(y)$transpose(3, 4)) / 2
    nnf_linear(torch_matmul(nnf_softmax(scores, -1), heads(x * y))$transpose(2, 3)$reshape(c(2, 12, 5)), w) + 1
  }
)
view_arguments <- function(dtype = "float", layout = identity) {
  torch_manual_seed(3)
  one <- function(...) layout(torch_randn(...)$to(dtype = dtype))
  list(one(2, 3, 4, 5), one(2, 3, 4, 5), one(5, 5))
}

test_that("views and batched products in a group give what the operators give, and the same gradients", {
  skip_if_no_torch()
  skip_if_no_fuser()
  expect_fused_alike(view_functions, view_arguments)
})

test_that("results lie in memory as those of the operators do", {
  skip_if_no_torch()
  skip_if_no_fuser()
  local_at_once()
  for (name in names(view_functions)) {
    arguments <- view_arguments()
    fused <- do.call(jit_trace, c(list(view_functions[[name]]), arguments))
    for (i in 1:2) got <- do.call(fused, arguments)
    expect_equal(got$is_contiguous(), do.call(view_functions[[name]], arguments)$is_contiguous(), label = name)
  }
  x <- torch_randn(4, 6)
  for (f in list(
    function(x) x$t() * 2 + 1, function(x) x$t()$contiguous() * 2 + 1, function(x) (x * 2)$narrow(2, 2, 3)$t() + 1,
    function(x) (x * 2)$view(c(2, 2, 6))$permute(c(3, 1, 2)) + 1, function(x) x$unsqueeze(1)$expand(c(3, 4, 6))$transpose(1, 2) * 2 + 1
  )) {
    fused <- jit_trace(f, x)
    for (i in 1:2) got <- fused(x)
    expect_identical(got$stride(), f(x)$stride())
    expect_equal(as_array(got), as_array(f(x)), tolerance = 1e-6)
  }
})

test_that("tensors without dimensions, of many, of other dtypes and without elements are viewed too", {
  skip_if_no_torch()
  skip_if_no_fuser()
  local_at_once()
  same <- function(f, x, made_of = x) {
    fused <- jit_trace(f, made_of)
    for (i in 1:2) got <- fused(x)
    expected <- f(x)
    expect_identical(got$shape, expected$shape)
    expect_true(got$dtype == expected$dtype)
    expect_equal(as_array(got$to(dtype = "double")), as_array(expected$to(dtype = "double")), tolerance = 1e-5)
  }
  number <- torch_tensor(3)$squeeze()
  same(function(x) (x * 2)$view(c(1)) + 1, number)
  same(function(x) torch_flatten(x * 2) + 1, number)
  same(function(x) (x * 2)$reshape(integer()) + 1, torch_ones(1))
  same(function(x) (x * 2)$squeeze() + 1, torch_ones(1, 3, 1))
  same(function(x) (x * 2)$view(c(2, 2, 2, 3, rep(1, 6)))$permute(c(3, 4, 1, 2, 5:10)) + 1, torch_randn(4, 6))
  same(function(x) torch_matmul(x * 2, x$transpose(-1, -2)) + 1, torch_randn(2, 3, 2, 4, 5))
  same(function(x) (x * 2L)$view(c(-1)) + 1L, torch_tensor(matrix(1:6, 2)))
  same(function(x) torch_bmm(x * 2L, x) + 1L, torch_ones(2, 3, 3)$to(dtype = "long"))
  same(function(x) (x > 0)$view(c(-1))$logical_not(), torch_randn(2, 3))
  same(function(x) torch_bmm(x * 2, x$transpose(2, 3)) + 1, torch_ones(2, 3, 4)$to(dtype = "bfloat16"))
  same(function(x) torch_bmm(x * 2, x$transpose(2, 3)) + 1, torch_ones(2, 3, 0), torch_ones(2, 3, 4))
})

test_that("derivatives of gradients go through views and batched products", {
  skip_if_no_torch()
  skip_if_no_fuser()
  local_at_once()
  f <- function(x, y) torch_tanh(torch_bmm(x$view(c(2, 3, 4)), y$view(c(2, 3, 4))$transpose(2, 3)))$pow(2)$sum()
  second <- function(f, x, y) {
    g <- autograd_grad(f(x, y), list(x, y), create_graph = TRUE)
    autograd_grad(g[[1]]$pow(2)$sum() + g[[2]]$pow(3)$sum(), list(x, y))
  }
  x <- torch_randn(6, 4, dtype = torch_double(), requires_grad = TRUE)
  y <- torch_randn(6, 4, dtype = torch_double(), requires_grad = TRUE)
  fused <- jit_trace(f, x, y)
  fused(x, y)
  for (i in 1:2) expect_lt(distance_of(second(fused, x, y)[[i]], second(f, x, y)[[i]]), 1e-9)
})

test_that("tensors that are viewed may lie in memory in any way", {
  skip_if_no_torch()
  skip_if_no_fuser()
  layouts <- list(
    columns = function(x) x$transpose(-1, -2)$contiguous()$transpose(-1, -2), spread = function(x) torch_stack(list(x, x), -1)$select(-1, 1),
    part = function(x) torch_cat(list(x, x), -1)$narrow(-1, 1, x$size(-1)), one_row = function(x) x$narrow(1, 1, 1)$expand(x$shape)
  )
  for (layout in names(layouts)) {
    for (name in setdiff(names(view_functions), c("view", "view_open", "bmm", "bmm_turned", "bmm_first", "baddbmm", "baddbmm_scaled", "heads"))) {
      found <- do.call(fused_distances, c(list(view_functions[[name]]), view_arguments("float", layouts[[layout]])))
      expect_lt(found$value, 1e-4, label = paste(name, layout))
      expect_lt(found$gradients, 1e-4, label = paste("gradients of", name, layout))
    }
  }
})

test_that("other sizes have plans of their own, and sizes that do not fit are LibTorch's errors", {
  skip_if_no_torch()
  skip_if_no_fuser()
  local_at_once()
  f <- function(x, y) torch_matmul(torch_tanh(x)$flatten(start_dim = 2, end_dim = 3), y$flatten(start_dim = 2, end_dim = 3)$transpose(2, 3)) * 2
  fused <- jit_trace(f, torch_ones(2, 3, 4, 5), torch_ones(2, 3, 4, 5))
  for (shape in list(c(2, 3, 4, 5), c(1, 1, 1, 1), c(7, 1, 2, 3), c(1, 33, 3, 17), c(40, 2, 2, 2))) {
    x <- torch_randn(shape)
    y <- torch_randn(shape)
    expect_lt(distance_of(fused(x, y), f(x, y), 1e-1), 1e-4)
    expect_equal(fused_groups(fused), "")
  }
  expect_error(fused(torch_ones(2, 3, 4, 5), torch_ones(2, 3, 4, 6)), class = "torch_error")
  expect_error(fused(torch_ones(2, 3, 4, 5), torch_ones(3, 3, 4, 5)), class = "torch_error")
  sized <- jit_trace(function(x) torch_exp(x)$view(c(2, 6)) * 2, torch_ones(3, 4))
  expect_equal(as_array(sized(torch_zeros(12))), matrix(2, 2, 6))
  expect_error(sized(torch_ones(5)), class = "torch_error")
})

test_that("no view leaves a group: results and gradients have memory of their own", {
  skip_if_no_torch()
  skip_if_no_fuser()
  local_at_once()
  f <- jit_trace(function(x) {
    y <- torch_tanh(x * 2)
    list(y, y$t(), y$view(c(-1)), y$contiguous(), (y + 1)$t()$contiguous())
  }, torch_ones(3, 4))
  x <- torch_randn(3, 4)
  got <- f(x)
  expect_equal(as_array(got[[2]]), t(as_array(got[[1]])))
  expect_equal(as_array(got[[5]]), t(as_array(got[[1]])) + 1, tolerance = 1e-6)
  # What shares memory in R shares it here, and nothing else does.
  got[[1]]$zero_()
  expect_equal(as.numeric(got[[3]]), rep(0, 12))
  expect_gt(got[[5]]$abs()$sum()$item(), 0)
  g <- jit_trace(function(x, y) torch_tanh(x$t() * 2 + y$t()), x, x)
  x <- torch_randn(3, 4, requires_grad = TRUE)
  y <- torch_randn(3, 4, requires_grad = TRUE)
  g(x, y)$sum()$backward()
  before <- as_array(y$grad)
  x$grad$zero_()
  expect_equal(as_array(y$grad), before)
  expect_true(x$grad$is_contiguous())
})

test_that("a module of attention is one group, also after it was saved and loaded, with its gradients", {
  skip_if_no_torch()
  skip_if_no_fuser()
  local_at_once()
  net <- nn_module(
    initialize = function() {
      self$qkv <- nn_linear(8, 24)
      self$out <- nn_linear(8, 8)
      self$norm <- nn_layer_norm(8)
    },
    forward = function(x) {
      shape <- x$shape
      heads <- function(first) {
        y$narrow(3, first, 8)$reshape(c(shape[1], shape[2], 2, 4))$transpose(2, 3)
      }
      y <- self$qkv(self$norm(x))
      scores <- nnf_softmax(torch_matmul(heads(1), heads(9)$transpose(3, 4)) / 2, -1)
      x + self$out(torch_matmul(scores, heads(17))$transpose(2, 3)$flatten(start_dim = 3))
    }
  )()$eval()
  x <- torch_randn(3, 5, 8)
  traced <- jit_trace(net, x)
  for (program in list(traced, jit_unserialize(jit_serialize(traced)))) {
    for (i in 1:2) expect_lt(distance_of(program(x), net(x)), 1e-4)
    program$zero_grad()
    program(x)$pow(2)$sum()$backward()
    net$zero_grad()
    net(x)$pow(2)$sum()$backward()
    theirs <- lapply(net$parameters, function(p) p$grad)
    # The parameters of the trace are the module's own.
    ours <- lapply(program$parameters, function(p) p$grad)
    for (name in names(theirs)) expect_lt(distance_of(ours[[name]], theirs[[name]], 1e-2), 1e-3)
  }
})
