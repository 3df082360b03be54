# Modules in traces: their modes, parameters and buffers.

# What tracing must leave alone: modes of all modules, buffers, torch's random numbers.
module_facts <- function(module) {
  list(
    modes = vapply(module$modules, function(m) m$training, NA),
    state = lapply(module$state_dict(), as_array),
    random = as_array(torch_get_rng_state())
  )
}

batch_norm_net <- nn_module(
  "batch_norm_net",
  initialize = function(fail = FALSE) {
    self$linear <- nn_linear(3, 3)
    self$norm <- nn_batch_norm1d(3)
    self$drop <- nn_dropout(0.5)
    self$fail <- fail
  },
  forward = function(x) {
    x <- self$drop(self$norm(self$linear(x)))
    if (self$fail) stop("not today")
    x
  }
)

test_that("tracing leaves the module and the random numbers as they were", {
  skip_if_no_torch()
  module <- batch_norm_net()
  drop <- module$drop
  drop$training <- FALSE
  x <- torch_randn(4, 3)
  before <- module_facts(module)
  expect_equal(before$modes, c(TRUE, TRUE, TRUE, FALSE))
  jit_trace(module, x)
  expect_equal(module_facts(module), before)

  module$eval()
  before <- module_facts(module)
  jit_trace(module, x)
  expect_equal(module_facts(module), before)
})

test_that("also after an error in its forward", {
  skip_if_no_torch()
  module <- batch_norm_net(fail = TRUE)
  x <- torch_randn(4, 3)
  before <- module_facts(module)
  expect_error(jit_trace(module, x), "^not today$", class = "simpleError")
  expect_equal(module_facts(module), before)
  module$fail <- FALSE
  expect_s3_class(jit_trace(module, x), "script_module")
})

test_that("traces of other types in the two modes can't be one forward", {
  skip_if_no_torch()
  Differs <- nn_module(forward = function(x) if (self$training) jit_tuple(list(x + 1, x)) else x + 1)
  module <- Differs()
  expect_snapshot(show_error(jit_trace(module, torch_tensor(1))))
  expect_true(module$training)
  expect_length(jit_trace(module, torch_tensor(1), respect_mode = FALSE)(torch_tensor(1)), 2)
})

test_that("train() and eval() of a traced module reach its children and choose the trace", {
  skip_if_no_torch()
  module <- batch_norm_net()
  x <- torch_randn(4, 3)
  traced <- jit_trace(module, x)
  expect_true(traced$training)
  traced$eval()
  expect_false(traced$training)
  expect_equal(vapply(traced$modules, function(m) m$training, NA), rep(FALSE, 4))
  module$eval()
  expect_equal(as_array(traced(x)), as_array(module(x)))
  expect_equal(as_array(traced$evalforward(x)), as_array(module(x)))
  traced$train()
  expect_equal(vapply(traced$modules, function(m) m$training, NA), rep(TRUE, 4))
  mean_before <- as_array(traced$norm$running_mean)
  traced(x)
  expect_false(isTRUE(all.equal(as_array(traced$norm$running_mean), mean_before)))
  expect_false(jit_trace(module, x)$training)
})

test_that("the forward of the saved file obeys self.training in Python", {
  skip_if_no_torch()
  Modal <- nn_module(
    initialize = function() self$inner <- nn_module(forward = function(x) if (self$training) x * 2 else x * 3)(),
    forward = function(x) self$inner(x) + 1
  )
  file <- withr::local_tempfile()
  jit_save(jit_trace(Modal(), torch_tensor(1)), file)
  from_python <- python_eval("
m = torch.jit.load(file)
x = torch.tensor(10.)
result = [m(x).item(), m.eval()(x).item(), m.train()(x).item(), m.inner.training]", file = file)
  expect_equal(from_python, c(21, 31, 21, 1))
})

test_that("methods other than forward are traced on request", {
  skip_if_no_torch()
  Coder <- nn_module(
    initialize = function() self$w <- nn_parameter(torch_tensor(2)),
    forward = function(x) x * self$w,
    decode = function(x, y) x / self$w + y
  )
  traced <- jit_trace_module(Coder(), forward = torch_tensor(1), decode = list(torch_tensor(1), torch_tensor(1)))
  expect_equal(as.numeric(traced$decode(torch_tensor(10), torch_tensor(1))), 6)
  expect_equal(as.numeric(traced(torch_tensor(10))), 20)
  file <- withr::local_tempfile()
  jit_save(traced, file)
  expect_equal(as.numeric(jit_load(file)$decode(torch_tensor(10), torch_tensor(1))), 6)
})

test_that("gradients go through traced functions and modules", {
  skip_if_no_torch()
  f <- jit_trace(function(x) (x^3)$sum(), torch_ones(3))
  x <- torch_tensor(c(1, 2, 3), requires_grad = TRUE)
  for (run in 1:3) {
    gradient <- autograd_grad(f(x), x)[[1]]
    expect_equal(as.numeric(gradient), 3 * c(1, 2, 3)^2)
  }
  module <- nn_linear(2, 1)
  traced <- jit_trace(module, torch_ones(1, 2))
  input <- torch_tensor(matrix(c(1, 2, 3, 4), 2))
  traced(input)$sum()$backward()
  # d sum(x w + b) / d w are the column sums of x. The parameters are the module's own tensors.
  expect_equal(as.numeric(module$weight$grad), c(3, 7))
  expect_equal(as.numeric(traced$weight$grad), c(3, 7))
})

test_that("a traced module shares its parameters with the module", {
  skip_if_no_torch()
  module <- nn_linear(2, 1)
  traced <- jit_trace(module, torch_ones(1, 2))
  with_no_grad(module$weight$zero_())
  with_no_grad(module$bias$fill_(5))
  expect_equal(as.numeric(traced(torch_randn(1, 2))), 5)
  with_no_grad(traced$bias$fill_(7))
  expect_equal(as.numeric(module$bias), 7)
  expect_equal(as.numeric(module(torch_randn(1, 2))), 7)
})

test_that("one parameter in two places stays one", {
  skip_if_no_torch()
  Tied <- nn_module(
    initialize = function() {
      self$a <- nn_linear(2, 2, bias = FALSE)
      self$b <- nn_linear(2, 2, bias = FALSE)
      self$b$weight <- self$a$weight
    },
    forward = function(x) self$b(self$a(x))
  )
  file <- withr::local_tempfile()
  traced <- jit_trace(Tied(), torch_ones(1, 2))
  jit_save(traced, file)
  for (module in list(traced, jit_load(file))) {
    with_no_grad(module$a$weight$copy_(torch_tensor(diag(2) * 3)))
    expect_equal(as.numeric(module(torch_tensor(matrix(c(1, 2), 1)))), c(9, 18))
  }
})

test_that("gradients, R's random numbers, and what a forward assigns are put back", {
  skip_if_no_torch()
  module <- nn_module(
    initialize = function() {
      self$w <- nn_parameter(torch_ones(2))
      self$seen <- nn_buffer(torch_zeros(1))
    },
    forward = function(x) {
      self$seen <- self$seen + stats::runif(1)
      with_no_grad(self$w$add_(1))
      self$w$grad <- torch_ones(2)
      x * self$w + torch_rand(1)
    }
  )()
  set.seed(3)
  before <- list(stats::runif(1), .Random.seed)
  torch_manual_seed(1)
  random <- as.numeric(torch_rand(1))
  set.seed(3)
  stats::runif(1)
  torch_manual_seed(1)
  seen <- module$seen
  jit_trace(module, torch_ones(2))
  expect_identical(.Random.seed, before[[2]])
  expect_equal(as.numeric(torch_rand(1)), random)
  expect_equal(as.numeric(module$w), c(1, 1))
  expect_identical(module$seen, seen)
  expect_equal(as.numeric(module$seen), 0)
  expect_true(is_undefined_tensor(module$w$grad))
  expect_true(module$training)
})

test_that("an eval-mode net with batch norm is traced on one row without a NaN in its statistics", {
  skip_if_no_torch()
  net <- nn_sequential(nn_linear(3, 4), nn_batch_norm1d(4))
  net$eval()
  traced <- jit_trace(net, torch_randn(1, 3))
  for (m in list(net, traced)) {
    for (buffer in m$buffers) expect_false(any(is.nan(as.numeric(buffer))))
  }
  expect_false(traced$training)
})

test_that("a traced module in train mode changes its buffers as the module does", {
  skip_if_no_torch()
  net <- nn_batch_norm1d(3)
  traced <- jit_trace(net, torch_randn(5, 3))
  x <- torch_randn(8, 3)
  twin <- net$clone()
  traced(x)
  twin(x)
  expect_equal(as.numeric(traced$buffers$running_mean), as.numeric(twin$buffers$running_mean))
  expect_equal(as.numeric(traced$buffers$num_batches_tracked), 1)
})

test_that("a list of states, as a recurrent net gives it, comes out", {
  skip_if_no_torch()
  cell <- nn_module(
    initialize = function() self$inner <- nn_linear(2, 2),
    forward = function(x, state) {
      h <- torch_tanh(self$inner(x) + state[[1]])
      list(h, list(h, state[[2]] * 2))
    }
  )()
  x <- torch_ones(1, 2)
  traced <- jit_trace(cell, x, list(x, x))
  expected <- cell(x, list(x, x * 3))
  out <- traced(x, list(x, x * 3))
  expect_equal(as.numeric(out[[1]]), as.numeric(expected[[1]]), tolerance = 1e-6)
  expect_equal(as.numeric(out[[2]][[2]]), c(6, 6))
})

test_that("tracing does not depend on the gradient mode", {
  skip_if_no_torch()
  net <- nn_linear(2, 1)
  x <- torch_ones(1, 2)
  inside <- with_no_grad(jit_trace(net, x))
  expect_true(inside(x)$requires_grad)
  expect_equal(as.numeric(inside(x)), as.numeric(net(x)))
})
