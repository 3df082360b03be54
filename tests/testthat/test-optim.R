test_that("zero_grad keeps the gradient's tensor by default", {
  skip_if_no_torch()
  params <- problem()
  opt <- optim_sgd(params, lr = 1)
  params$b$sum()$backward()
  opt$zero_grad()
  expect_identical(as_array(params$b$grad), c(0, 0))
})

test_that("the state dict takes training up where it was left", {
  skip_if_no_torch()
  train <- function(opt, params, steps) {
    for (i in steps) {
      opt$zero_grad()
      ((params$w - i)^2)$sum()$backward()
      opt$step()
    }
    as_array(params$w)
  }
  for (make in list(
    function(p) optim_adam(p$w, lr = 0.1, amsgrad = TRUE), function(p) optim_sgd(p$w, lr = 0.01, momentum = 0.9)
  )) {
    whole <- problem()
    expected <- train(make(whole), whole, 1:6)
    params <- problem()
    first <- make(params)
    train(first, params, 1:3)
    state <- first$state_dict()
    expect_identical(state$param_groups[[1]]$params, 1L)
    second <- make(params)
    second$load_state_dict(state)
    expect_equal(train(second, params, 4:6), expected, tolerance = 1e-6)
  }
  expect_error(optim_adam(problem())$load_state_dict(state), class = "value_error")
})

test_that("hyperparameters can be changed and groups added", {
  skip_if_no_torch()
  params <- problem()
  opt <- optim_sgd(params$w, lr = 1)
  opt$param_groups[[1]]$lr <- 0
  opt$add_param_group(list(params = params$b, lr = 1))
  (params$w$sum() + params$b$sum())$backward()
  w <- as_array(params$w)
  opt$step()
  expect_identical(as_array(params$w), w)
  expect_equal(as_array(params$b), c(-0.9, -1.2), tolerance = 1e-6)
  expect_error(opt$add_param_group(list(params = params$w)), class = "value_error")
})

test_that("users can write optimizers", {
  skip_if_no_torch()
  descent <- optimizer(
    "optim_descent",
    initialize = function(params, lr = optim_required()) super$initialize(params, list(lr = lr)),
    step = function() {
      with_no_grad({
        for (group in self$param_groups) {
          for (param in group$params) {
            if (is.null(state(param))) state(param) <- list(steps = 0)
            state(param)[["steps"]] <- state(param)$steps + 1
            param$sub_(group$lr * param$grad)
          }
        }
      })
    }
  )
  expect_identical(formals(descent)$lr, quote(optim_required()))
  x <- torch_tensor(1, requires_grad = TRUE)
  opt <- descent(x, lr = 0.5)
  expect_true(is_optimizer(opt))
  expect_s3_class(opt, c("optim_descent", "torch_optimizer", "R6"), exact = TRUE)
  (3 * x)$backward()
  opt$step()
  opt$step()
  expect_equal(x$item(), -2)
  expect_identical(opt$state_dict()$state[["1"]]$steps, 2)
  expect_error(descent(x), class = "value_error")
})

test_that("wrong arguments are told", {
  skip_if_no_torch()
  x <- torch_tensor(1, requires_grad = TRUE)
  for (code in expression(
    optim_sgd(x), optim_sgd(x, lr = -1), optim_sgd(x, lr = 1, nesterov = TRUE), optim_adam(x, betas = c(0.9, 1)),
    optim_adam(x, eps = -1), optim_adam(x, weight_decay = -1), optim_adam(list()), optim_adam(x * 2), optim_adam(1),
    optim_adam(list(list(lr = 1)))
  )) {
    expect_error(eval(code), class = "value_error", info = deparse(code))
  }
  expect_snapshot(error = TRUE, {
    optim_sgd(x)
    optim_sgd(x, lr = -1)
    optim_sgd(x, lr = 1, nesterov = TRUE)
    optim_adam(x, betas = c(0.9, 1))
    optim_adam(list())
    optim_adam(x * 2)
    optim_adam(list(list(lr = 1)))
  })
  expect_snapshot(print(optim_adam))
})
