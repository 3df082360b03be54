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

test_that("users' optimizers find what those of the CRAN package offer", {
  skip_if_no_torch()
  signs <- optimizer(
    "optim_signs",
    initialize = function(params, lr = 0.5) super$initialize(params, list(lr = lr)),
    step = function(closure = NULL) {
      seen <- NULL
      loss <- private$step_helper(closure, function(group, param, g, p) {
        seen <<- c(seen, g, p)
        if (length(state(param)) == 0) state(param) <- list(steps = 0)
        state(param)[["steps"]] <- state(param)$steps + 1
        param$sub_(self$param_groups[[g]]$lr * torch_sign(self$param_groups[[g]]$params[[p]]$grad))
      })
      list(loss, seen)
    }
  )
  x <- lapply(1:3, function(i) torch_tensor(i, requires_grad = TRUE, dtype = torch_float()))
  opt <- signs(list(list(params = x[1:2]), list(params = x[3], lr = 2)))
  expect_identical(opt$defaults, list(lr = 0.5))
  loss <- function() {
    loss <- x[[2]] * 3 + x[[3]]
    loss$backward()
    loss
  }
  result <- opt$step(loss)
  expect_equal(list(result[[1]]$item(), result[[2]]), list(9, c(1L, 2L, 2L, 1L)))
  expect_equal(vapply(x, function(x) x$item(), 0), c(1, 1.5, 1))
  expect_identical(opt$state$get(x[[2]]), list(steps = 1))
  expect_null(opt$state$get(x[[1]]))
  opt$state$set(x[[1]], list(steps = 7))
  expect_setequal(opt$state$keys(), vapply(x, tensor_address, ""))
  expect_identical(lapply(opt$state_dict()$state, `[[`, "steps"), list(`1` = 7, `2` = 1, `3` = 1))
  # So does a class that stands on one of the package's.
  slower <- optimizer("optim_slower", optim_adam, initialize = function(params) super$initialize(params, lr = 1e-5))
  expect_equal(slower(x)$param_groups[[1]]$lr, 1e-5)
  expect_s3_class(slower(x), c("optim_slower", "optim_adam", "torch_optimizer", "R6"), exact = TRUE)
})

test_that("what is kept can be looked at and replaced between steps", {
  skip_if_no_torch()
  x <- torch_tensor(1, requires_grad = TRUE)
  opt <- optim_adam(x)
  step <- function(opt) {
    opt$zero_grad()
    (x * 2)$backward()
    opt$step()
  }
  step(opt)
  step(opt)
  state <- opt$state$get(x)
  expect_equal(state$step, 2)
  expect_equal(state$exp_avg$item(), 0.38, tolerance = 1e-6)
  copy <- opt$clone(deep = TRUE)
  opt$state$set(x, utils::modifyList(state, list(step = 10)))
  step(opt)
  expect_equal(opt$state$get(x)$step, 11)
  step(copy)
  expect_equal(copy$state_dict()$state[["1"]]$step$item(), 3)
  # One more gradient in the copy's mean than at the copy, not that of the other.
  expect_equal(copy$state$get(x)$exp_avg$item(), 0.9 * 0.38 + 0.2, tolerance = 1e-6)
})

test_that("a state dict of PyTorch's, with positions from 0, is taken", {
  skip_if_no_torch()
  params <- problem()
  opt <- optim_asgd(params)
  (params$w$sum() + params$seldom$sum())$backward()
  opt$step()
  dict <- opt$state_dict()
  expect_named(dict$state, c("1", "3"))
  expect_equal(dict$param_groups[[1]]$lambd, 1e-4)
  dict$param_groups[[1]]$params <- as.list(0:3)
  names(dict$state) <- c("0", "2")
  dict$param_groups[[1]][c("foreach", "lambd")] <- list(NULL, 0.5)
  other <- optim_asgd(params)
  other$load_state_dict(dict)
  expect_equal(other$param_groups[[1]]$lambda, 0.5)
  expect_equal(other$state_dict()$state, opt$state_dict()$state)
  names(dict$state) <- c("0", "7")
  expect_snapshot(error = TRUE, {
    other$load_state_dict(dict)
    other$load_state_dict(optim_sgd(params$w, lr = 1)$state_dict())
  })
})

test_that("generators have the members of their class", {
  skip_if_no_torch()
  expect_named(formals(optim_adam$public_methods$initialize), names(formals(optim_adam)))
  expect_identical(optim_adam$get_inherit()$classname, "torch_optimizer")
  expect_true("step" %in% names(optim_adam$get_inherit()$public_methods))
  expect_identical(names(optim_adam$get_inherit()$public_fields), c("param_groups", "defaults", "state"))
  expect_s3_class(optim_adam$new(torch_ones(1, requires_grad = TRUE), lr = 1), "optim_adam")
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

test_that("settings that are changed to none are told at the step, by all optimisers", {
  skip_if_no_torch()
  x <- torch_tensor(1, requires_grad = TRUE)
  for (name in c("adam", "adamw", "sgd", "rmsprop", "adagrad", "adadelta", "asgd", "rprop", "adamax", "nadam", "radam", "ignite_adam")) {
    make <- get(paste0("optim_", name))
    opt <- if (name == "sgd") make(x, lr = 0.1) else make(x)
    x$grad <- torch_tensor(1)
    opt$step()
    for (lr in list("a", NULL, NA_real_, -1, c(1, 2))) {
      opt$param_groups[[1]]["lr"] <- list(lr)
      expect_error(opt$step(), "`lr` must be a number that is not negative", class = "value_error", info = name)
    }
    opt$param_groups[[1]]$lr <- NULL
    expect_error(opt$step(), "`lr` must be a number that is not negative", class = "value_error", info = name)
    opt$param_groups[[1]]$lr <- torch_tensor(0.1)
    before <- as.numeric(x)
    opt$step()
    expect_true(is.finite(as.numeric(x)) && as.numeric(x) != before, info = name)
  }
  opt <- optim_adam(x)
  opt$param_groups[[1]]$betas <- 0.9
  error <- tryCatch(opt$step(), error = identity)
  expect_match(conditionMessage(error), "`betas` must be two numbers from 0 to below 1, not 0.9", fixed = TRUE)
  expect_identical(conditionCall(error), quote(opt$step()))
})

test_that("a state dict with half of a state or with wrong hyperparameters is refused", {
  skip_if_no_torch()
  params <- list(torch_ones(2, requires_grad = TRUE), torch_ones(3, requires_grad = TRUE))
  stepped <- function(opt) {
    for (param in params) param$grad <- torch_ones_like(param)
    opt$step()
    opt
  }
  opt <- stepped(optim_adam(params))
  dict <- opt$state_dict()
  # Without a state a parameter begins anew.
  opt$load_state_dict(list(param_groups = dict$param_groups, state = dict$state[1]))
  expect_named(opt$state_dict()$state, "1")
  for (name in c("exp_avg", "exp_avg_sq", "step")) {
    half <- dict
    half$state[[2]][[name]] <- NULL
    expect_error(opt$load_state_dict(half), sprintf("no `%s` in the state of parameter 2", name), class = "value_error")
  }
  wrong <- dict
  wrong$param_groups[[1]]$lr <- "a"
  expect_error(opt$load_state_dict(wrong), "`lr` must be a number", class = "value_error")
  expect_identical(opt$param_groups[[1]]$lr, 0.001)
  amsgrad <- dict
  amsgrad$param_groups[[1]]$amsgrad <- TRUE
  expect_error(opt$load_state_dict(amsgrad), "no `max_exp_avg_sq`", class = "value_error")
  # Every rule takes its own.
  for (make in list(optim_sgd, optim_adamw, optim_adamax, optim_nadam, optim_radam, optim_adagrad, optim_adadelta, optim_rmsprop, optim_adafactor, optim_asgd, optim_rprop)) {
    one <- stepped(make(params, lr = 0.01))
    expect_no_error(make(params, lr = 0.01)$load_state_dict(one$state_dict()))
  }
  momentum <- stepped(optim_sgd(params, lr = 0.01, momentum = 0.9))
  expect_no_error(optim_sgd(params, lr = 0.01, momentum = 0.9)$load_state_dict(momentum$state_dict()))
  # PyTorch writes None where there is no buffer.
  none <- stepped(optim_sgd(params, lr = 0.01))$state_dict()
  none$state <- list(`1` = list(momentum_buffer = NULL))
  expect_no_error(stepped(optim_sgd(params, lr = 0.01, momentum = 0.9)$load_state_dict(none)))
})

test_that("parameters that are none, or stand twice, are told", {
  skip_if_no_torch()
  w <- torch_ones(2, requires_grad = TRUE)
  w2 <- torch_ones(2, requires_grad = TRUE)
  opt <- optim_sgd(list(w), lr = 0.1)
  expect_snapshot(error = TRUE, {
    optim_sgd(list(1, 2), lr = 0.1)
    optim_sgd(list(w, 1), lr = 0.1)
    optim_sgd(list(list(w)), lr = 0.1)
    optim_sgd(list(list(params = w), w2), lr = 0.1)
    optim_sgd(list(list(params = 1)), lr = 0.1)
    optim_sgd(list(list(params = w), list(params = w)), lr = 0.1)
    opt$add_param_group("x")
    opt$add_param_group(w2)
    opt$add_param_group(NULL)
    opt$add_param_group(list(params = "a"))
    opt$add_param_group(list(params = w))
  })
  # PyTorch warns.
  expect_snapshot(twice <- optim_sgd(list(w, w), lr = 0.1))
  expect_length(twice$param_groups[[1]]$params, 2)
  expect_warning(opt$add_param_group(list(params = list(w2, w2))), "more than once")
})

test_that("closures and state dicts that are none are refused", {
  skip_if_no_torch()
  opt <- optim_adam(torch_ones(1, requires_grad = TRUE))
  mine <- optimizer("mine", initialize = function(params) super$initialize(params, list()), step = function(closure = NULL) {
    private$step_helper(closure, function(group, param, g, p) NULL)
  })(torch_ones(1, requires_grad = TRUE))
  plateau <- lr_reduce_on_plateau(opt)
  lbfgs <- optim_lbfgs(torch_ones(1, requires_grad = TRUE))
  pair <- function() torch_ones(2)
  expect_snapshot(error = TRUE, {
    opt$step(1)
    mine$step("a")
    opt$load_state_dict(1)
    opt$load_state_dict(list())
    opt$load_state_dict(list(param_groups = 1, state = 2))
    lbfgs$step(pair)
    plateau$step("a")
    plateau$step(torch_ones(2))
  })
})

test_that("parameters without elements change nothing for the others, and nothing else", {
  skip_if_no_torch()
  makers <- list(
    optim_adam, optim_adamw, optim_adamax, optim_nadam, optim_radam, optim_rmsprop, optim_adagrad, optim_adadelta, optim_adafactor, optim_asgd,
    optim_rprop, optim_lbfgs, optim_muon, optim_ignite_adam, function(params) optim_sgd(params, lr = 0.1, momentum = 0.9),
    function(params) optim_lbfgs(params, line_search_fn = "strong_wolfe")
  )
  path <- function(make, shape, alone) {
    empty <- torch_ones(shape, requires_grad = TRUE)
    w <- torch_tensor(matrix(c(1, -2, 3, 4), 2), requires_grad = TRUE)
    opt <- make(c(if (alone != "w") list(empty), if (alone != "empty") list(w)))
    for (i in 1:3) {
      opt$step(function() {
        opt$zero_grad()
        loss <- (empty * 2)$sum() + (w^2)$sum()
        loss$backward()
        loss
      })
    }
    opt$load_state_dict(opt$state_dict())
    as_array(w)
  }
  for (make in makers) {
    expected <- path(make, 0L, "w")
    for (shape in list(c(0L, 3L), c(3L, 0L))) {
      expect_equal(path(make, shape, "neither"), expected)
      expect_identical(path(make, shape, "empty"), matrix(c(1, -2, 3, 4), 2))
    }
  }
})
