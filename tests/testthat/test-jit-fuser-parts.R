# Parts of tensors, and tensors put side by side, as parts of groups: where a value begins in memory, and gradients of parts.

# Functions of two tensors of 4 x 6 x 8 numbers and a matrix of 8 x 8.
part_functions <- list(
  slice = function(x, y, w) torch_exp(x[, 2:4, ]) * y[, 1:3, ], slice_last = function(x, y, w) x[, , 3:6] * 2 + y[, , 1:4],
  slice_first = function(x, y, w) torch_tanh(x * 2)[2:3, , ] + y[1:2, , ], step = function(x, y, w) (x * y)[, slc(1, 6, 2), ] + 1,
  to_the_end = function(x, y, w) torch_tanh(x[, 3:N, ] * 2), negative = function(x, y, w) (x * y)$slice(2, -3, -1) * 2,
  of_all = function(x, y, w) torch_exp(x[, 1:6, ] / 3) * y, beyond = function(x, y, w) (x * y)$slice(3, 2, 100) + 1,
  select = function(x, y, w) x[, 2, ] * y[, 5, ] + 1, select_first = function(x, y, w) torch_tanh(x * y)[3, , ] * 2,
  select_last = function(x, y, w) torch_exp(x)[, , -1] + y[, , 1], to_one = function(x, y, w) (x * y)[1, 2, 3] * 2 + 1,
  narrow = function(x, y, w) torch_exp(x$narrow(2, 2, 3)) * y$narrow(2, 3, 3), part_of_part = function(x, y, w) (x * 2)[2:4, 3:6, ][, 2:3, 2:5] + 1,
  chunk = function(x, y, w) {
    parts <- (x * 2)$chunk(4, 3)
    torch_sigmoid(parts[[1]]) * parts[[2]] + torch_tanh(parts[[3]]) * parts[[4]]
  },
  some_chunks = function(x, y, w) {
    parts <- torch_exp(x)$chunk(2, 2)
    parts[[2]] * 2 + 1
  },
  split = function(x, y, w) {
    parts <- torch_split(x + y, 4, 2)
    torch_mean(parts[[1]] * 2) + parts[[2]] * 3
  },
  split_sizes = function(x, y, w) {
    parts <- (x + y)$split_with_sizes(c(1, 3, 2), 2)
    parts[[1]] * parts[[2]] + torch_mean(parts[[3]])
  },
  unbind = function(x, y, w) {
    parts <- torch_unbind(x[1:2, , ] * 2, 1)
    parts[[1]] * parts[[2]]
  },
  of_argument = function(x, y, w) {
    parts <- x$chunk(2, 3)
    parts[[1]] * torch_sigmoid(parts[[2]])
  },
  overlap = function(x, y, w) {
    z <- torch_tanh(x)
    z[, 1:4, ] * z[, 3:6, ] + z[, 2:5, ]
  },
  other_dimensions = function(x, y, w) {
    z <- torch_tanh(x)
    torch_sum(z[, 1:3, ] * 2) + torch_sum(z[2:4, , ]) + z[, , 1:2]
  },
  part_and_whole = function(x, y, w) {
    z <- torch_tanh(x)
    torch_sum(z[, 1:3, ] * 2) + z * y
  },
  product = function(x, y, w) torch_matmul(x[, 2:4, ] * 2, w) + torch_matmul(y[, 1:3, 3:6], w[3:6, ]),
  product_parts = function(x, y, w) {
    parts <- torch_matmul(x, w)$chunk(2, 3)
    torch_sigmoid(parts[[1]]) * parts[[2]]
  },
  heads = function(x, y, w) {
    qkv <- torch_matmul(x, torch_cat(list(w, w * 2, w + 1), 2))$chunk(3, 3)
    heads <- function(z) z$view(c(4, 6, 2, 4))$transpose(2, 3)
    scores <- torch_matmul(heads(qkv[[1]]), heads(qkv[[2]])$transpose(3, 4)) / 2
    torch_matmul(nnf_softmax(scores, -1), heads(qkv[[3]]))$transpose(2, 3)$reshape(c(4, 6, 8)) + 1
  },
  columns = function(x, y, w) torch_sum((x * y)[, , 3:6], c(1, 2)) * 2, softmax = function(x, y, w) nnf_softmax(x[, 2:5, ] * 2, -1) * y[, 1:4, ],
  row_sums = function(x, y, w) torch_sum(x * y, 3, TRUE)[, 2:4, ] * y[, 1:3, ], row_sums_open = function(x, y, w) torch_sum(x * y, 3)[, 2:4] * 2,
  turned = function(x, y, w) (x * 2)$transpose(1, 3)[2:5, , ] + y$transpose(1, 3)[1:4, , ],
  cat = function(x, y, w) torch_tanh(torch_cat(list(x * 2, y), 2)), cat_first = function(x, y, w) torch_cat(list(x * 2, torch_exp(y), x), 1) + 1,
  cat_last = function(x, y, w) torch_cat(list(x[, , 1:3] * 2, y), 3)$tanh(), cat_alone = function(x, y, w) torch_cat(list(x * 2, y + 1), -1),
  cat_itself = function(x, y, w) torch_cat(list(x, x), 3) * 2, cat_one = function(x, y, w) torch_cat(list(x * 2), 3) * y,
  stack = function(x, y, w) torch_stack(list(x * 2, y), 2) + 1, stack_last = function(x, y, w) torch_exp(torch_stack(list(x, y + 1, x * y), -1)),
  rotary = function(x, y, w) {
    halves <- x$chunk(2, -1)
    x * torch_cos(y) + torch_cat(list(-halves[[2]], halves[[1]]), -1) * torch_sin(y)
  },
  inner_sum = function(x, y, w) torch_sum(x * y, 2) * 2, inner_sum_kept = function(x, y, w) torch_sum(x * y, 2, TRUE) * x,
  inner_mean = function(x, y, w) torch_mean(x * y, 2) + y[, 2, ], first_sum = function(x, y, w) torch_sum(x * y, 1) * x,
  inner_sum_of_parts = function(x, y, w) torch_sum(x[, 2:4, 3:6], 2) * torch_exp(y[, 1, 1:4]),
  inner_sum_turned = function(x, y, w) torch_mean(x$transpose(1, 3) * 2, c(1, 2)) + torch_sum(torch_exp(y), 2)[, 1:4]$sum(1),
  broadcast_inner = function(x, y, w) x * torch_tanh(y[, 1:1, ]) + y[1:1, , ] * 2, attention = function(x, y, w) (nnf_softmax(x, -1) * y)$sum(2),
  rows_by_column = function(x, y, w) torch_mean(x * x, 3, TRUE) * y[1, , 1:1], rows_by_first = function(x, y, w) torch_std(x, 3, keepdim = TRUE) * y[, 1:1, 1:1],
  rows_by_one = function(x, y, w) torch_amax(x * 2, 3, TRUE) * w[1, 1:1], sum_of_sums = function(x, y, w) torch_sum(torch_sum(x * 2, 3), 2) * 2,
  first_of_sums = function(x, y, w) torch_sum(torch_sum(x * y, 3), 1) * w[1, 1:6],
  var_of_sums = function(x, y, w) torch_var(torch_sum(x * y, 3), 1) * 2, std_of_sums = function(x, y, w) torch_std(torch_sum(x * 2, 3), 2) + 1,
  most_of_sums = function(x, y, w) torch_amax(torch_sum(x * y, 3), 2) * 2, softmax_of_sums = function(x, y, w) nnf_softmax(torch_sum(x * y, 3), 2) * 2,
  norm_of_sums = function(x, y, w) nnf_layer_norm(torch_sum(x * y, 3), 6) * 2, product_of_sums = function(x, y, w) torch_matmul(torch_sum(x * y, 3), w[1:6, ]) * 2,
  by_sums = function(x, y, w) torch_matmul(w[, 1:4], torch_sum(x * y, 3)) + 1, cat_of_sums = function(x, y, w) torch_cat(list(torch_sum(x * y, 3), x[, , 1] * 2), 2) * 2,
  pooled = function(x, y, w) torch_sum(nnf_softmax(torch_sum(x * y, 3), 2)$unsqueeze(3) * x, 2) * 2,
  cat_of_parts = function(x, y, w) torch_cat(list(x[, 4:6, ], y[, 1:2, ], x[, 1:1, ] * 2), 2) * y,
  cat_sum = function(x, y, w) torch_cat(list(torch_sum(x * y, 3, TRUE), x), 3) * 2, cat_broadcast = function(x, y, w) torch_cat(list(x$mean(2, TRUE), y), 2) * x[, 1:1, ],
  cell = function(x, y, w) {
    gates <- torch_cat(list(x[1, , ], y[1, , ]), 2)$matmul(torch_cat(list(w, w), 1))$chunk(4, 2)
    state <- torch_sigmoid(gates[[2]]) * x[2, , 1:2] + torch_sigmoid(gates[[1]]) * torch_tanh(gates[[3]])
    torch_stack(list(torch_sigmoid(gates[[4]]) * torch_tanh(state), state), 1) * 1
  }
)
part_arguments <- function(dtype = "float", layout = identity) {
  torch_manual_seed(5)
  one <- function(...) layout(torch_randn(...)$to(dtype = dtype))
  list(one(4, 6, 8), one(4, 6, 8), one(8, 8))
}

test_that("parts of tensors and tensors side by side give in a group what the operators give, and the same gradients", {
  skip_if_no_torch()
  skip_if_no_fuser()
  expect_fused_alike(part_functions, part_arguments)
})

test_that("their results lie in memory as those of the operators do, whatever the arguments' layout", {
  skip_if_no_torch()
  skip_if_no_fuser()
  local_at_once()
  layouts <- list(
    identity, function(it) it$transpose(1, 2)$contiguous()$transpose(1, 2), function(it) torch_cat(list(it, it), 2)$narrow(2, 2, it$size(2))
  )
  for (layout in layouts) for (name in names(part_functions)) {
    arguments <- part_arguments(layout = layout)
    fused <- do.call(jit_trace, c(list(part_functions[[name]]), arguments))
    for (i in 1:2) got <- do.call(fused, arguments)
    wanted <- do.call(part_functions[[name]], arguments)
    expect_identical(got$stride(), wanted$stride(), label = name)
    expect_equal(as_array(got), as_array(wanted), tolerance = 1e-5, label = name)
  }
})

test_that("variances with any correction are LibTorch's, infinite ones too, and a standard deviation of zero has no slope", {
  skip_if_no_torch()
  skip_if_no_fuser()
  local_at_once()
  for (n in c(1, 2, 3, 41, 1000)) for (correction in c(0, 1, 3, 41, 999)) {
    x <- torch_randn(4, n)
    for (op in c("var", "std")) {
      f <- function(x) jit_ops$aten[[op]](x * 2, 1L, correction = correction, keepdim = TRUE) * 1
      # LibTorch warns where nothing is left.
      suppressWarnings({
        fused <- jit_trace(f, x)
        for (i in 1:2) got <- as_array(fused(x))
        wanted <- as_array(f(x))
      })
      expect_equal(got, wanted, tolerance = 1e-5, label = paste(op, n, correction))
    }
  }
  x <- torch_ones(3, 4, requires_grad = TRUE)
  f <- function(x) torch_std(x * 2, 2) * Inf
  fused <- jit_trace(f, x)
  for (i in 1:2) slope <- autograd_grad(fused(x)$sum(), x)[[1]]
  expect_equal(as_array(slope), as_array(autograd_grad(f(x)$sum(), x)[[1]]))
})

test_that("the mean of sums of rows divides, whoever computes its gradient", {
  skip_if_no_torch()
  skip_if_no_fuser()
  f <- function(x) torch_mean(torch_sum(x * 2, 3), -1) + 1
  found <- fused_distances(f, torch_randn(4, 6, 8))
  expect_lt(max(found$value, found$gradients), 1e-4)
})

test_that("images whose channels lie innermost stay so side by side, and results are no views", {
  skip_if_no_torch()
  skip_if_no_fuser()
  local_at_once()
  image <- function() torch_randn(2, 3, 4, 5)$to(memory_format = torch_channels_last_format())
  x <- image()
  y <- image()
  f <- function(x, y) torch_cat(list(x * 2, y * 3), 2) * 1
  fused <- jit_trace(f, x, y)
  for (i in 1:2) got <- fused(x, y)
  expect_identical(got$stride(), f(x, y)$stride())
  expect_equal(as_array(got), as_array(f(x, y)), tolerance = 1e-6)
  x <- torch_randn(4, 16, requires_grad = TRUE)
  g <- function(x) nnf_relu((x * 2)$view(c(8, 8)))
  fused <- jit_trace(g, x)
  for (i in 1:2) {
    got <- fused(x)
    got$add_(1)
  }
  expect_equal(as_array(got$detach()), as_array(g(x)$detach()) + 1, tolerance = 1e-6)
})

test_that("what is written to in place is seen by the parts that share its memory, and parts that leave stay views", {
  skip_if_no_torch()
  skip_if_no_fuser()
  local_at_once()
  functions <- list(
    through_a_part = function(x, y) {
      z <- x * 2
      z[1:2, ]$add_(1)
      torch_tanh(z) * y + z
    },
    under_the_parts = function(x, y) {
      z <- x * 2
      parts <- z$chunk(2, 1)
      z$mul_(3)
      torch_tanh(parts[[1]]) * parts[[2]] + 1
    },
    a_part_of_two = function(x, y) {
      parts <- (x * 2)$chunk(2, 1)
      r <- torch_tanh(parts[[1]]) * parts[[2]] + 1
      parts[[1]]$add_(5)
      r + parts[[1]]
    },
    after_it_was_copied = function(x, y) {
      z <- x * 2
      both <- torch_cat(list(z, y * 3), 1)
      z$add_(1)
      torch_exp(both * 0.1) * 2 + torch_cat(list(z, y), 1)
    },
    assigned = function(x, y) {
      z <- torch_zeros(4, 6)
      z[, 1:3] <- x[, 1:3] * 2
      z[, 4:6] <- torch_exp(y[, 1:3])
      z * 2 + 1
    },
    returned = function(x, y) {
      parts <- (x * 2)$chunk(2, 2)
      list(parts[[1]] * parts[[2]] + 1, parts[[1]])
    },
    list_returned = function(x, y) {
      parts <- torch_tanh(x)$chunk(2, 2)
      list(parts[[1]] * parts[[2]] + 1, parts)
    }
  )
  flat <- function(r) if (is.list(r)) lapply(r, flat) else as_array(r)
  torch_manual_seed(1)
  x <- torch_randn(4, 6)
  y <- torch_randn(4, 6)
  for (name in names(functions)) {
    fused <- jit_trace(functions[[name]], x, y)
    for (i in 1:2) got <- flat(fused(x, y))
    expect_equal(got, flat(functions[[name]](x, y)), tolerance = 1e-6, label = name)
  }
})

test_that("parts of another number, without elements or of other sizes are the operators' affair", {
  skip_if_no_torch()
  skip_if_no_fuser()
  local_at_once()
  f <- function(x) {
    parts <- torch_split(x, 2, 1)
    torch_tanh(parts[[1]]) * 2 + parts[[2]]
  }
  fused <- jit_trace(f, torch_randn(4, 3))
  for (i in 1:2) expect_equal(as_array(fused(torch_ones(4, 3))), as_array(f(torch_ones(4, 3))), tolerance = 1e-6)
  expect_error(fused(torch_ones(6, 3)), "Expected 2 elements in a list but found 3")
  expect_error(fused(torch_ones(2, 3)), "Expected 2 elements in a list but found 1")
  g <- function(x) torch_cat(list(x[, 1:3] * 2, x$narrow(2, 1, 0) * 2 + 1), 2) + 1
  fused <- jit_trace(g, torch_randn(4, 5))
  for (n in c(4, 1, 7)) for (i in 1:2) {
    x <- torch_randn(n, 5)
    expect_equal(as_array(fused(x)), as_array(g(x)), tolerance = 1e-6)
  }
  h <- function(x, y) torch_cat(list((x * 10)$to(dtype = "long")[, 1:2], y[, 3:4] > 0), 2) * 2L
  fused <- jit_trace(h, torch_randn(4, 5), torch_randn(4, 5))
  x <- torch_randn(3, 5)
  for (i in 1:2) expect_equal(fused(x, x), h(x, x))
})

test_that("a cell of a recurrent network is one group, and its gates cost no operator of LibTorch's", {
  skip_if_no_torch()
  skip_if_no_fuser()
  local_at_once()
  cell <- function(x, h, c, w, b) {
    gates <- nnf_linear(torch_cat(list(x, h), 2), w, b)$chunk(4, 2)
    state <- torch_sigmoid(gates[[2]]) * c + torch_sigmoid(gates[[1]]) * torch_tanh(gates[[3]])
    torch_cat(list(torch_sigmoid(gates[[4]]) * torch_tanh(state), state), 2)
  }
  arguments <- list(torch_randn(5, 3), torch_randn(5, 4), torch_randn(5, 4), torch_randn(16, 7), torch_randn(16))
  fused <- do.call(jit_trace, c(list(cell), arguments))
  do.call(fused, arguments)
  expect_identical(fused_groups(fused), "")
  operators <- strsplit(fused_operators(fused), " ")[[1]]
  expect_true(all(c("aten::cat", "aten::linear", "aten::chunk") %in% operators))
  expect_equal(sum(startsWith(operators, "aten::")), 13)
})
