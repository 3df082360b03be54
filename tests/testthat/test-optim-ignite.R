test_that("the ignite names are the same optimisers", {
  skip_if_no_torch()
  pairs <- list(
    list(optim_ignite_adam, optim_adam), list(optim_ignite_adamw, optim_adamw),
    list(optim_ignite_rmsprop, optim_rmsprop), list(optim_ignite_adagrad, optim_adagrad),
    list(function(p) optim_ignite_sgd(p, lr = 0.1, momentum = 0.5), function(p) optim_sgd(p, lr = 0.1, momentum = 0.5))
  )
  for (pair in pairs) expect_identical(run_steps(pair[[1]], 20)$path, run_steps(pair[[2]], 20)$path)
  x <- torch_ones(1, requires_grad = TRUE)
  classes <- c("optim_ignite_sgd", "OptimizerIgnite", "torch_optimizer", "R6")
  expect_s3_class(optim_ignite_sgd(x, lr = 1), classes, exact = TRUE)
  expect_identical(formals(optim_ignite_sgd), formals(optim_sgd))
  expect_snapshot(optim_ignite_sgd(x), error = TRUE)
  expect_s3_class(OptimizerIgnite$new(x, list(lr = 1)), "torch_optimizer")
})

test_that("users make classes of that kind", {
  skip_if_no_torch()
  halving <- optimizer_ignite(
    "optim_halving",
    initialize = function(params) super$initialize(params, list()),
    step = function(closure = NULL) {
      private$step_helper(closure, function(group, param, g, p) {
        state(param) <- list(n = (state(param)$n %||% 0) + 1)
        param$mul_(0.5)
      })
    }
  )
  x <- torch_tensor(4, requires_grad = TRUE)
  opt <- halving(x)
  expect_s3_class(opt, c("optim_halving", "OptimizerIgnite", "torch_optimizer", "R6"), exact = TRUE)
  opt$step(function() (x * 2)$backward())
  opt$step()
  expect_equal(x$item(), 1)
  expect_equal(opt$state_dict()$state[["1"]]$n, 2)
})
