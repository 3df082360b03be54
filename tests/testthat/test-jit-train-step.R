# Steps that run without R leave everything as the loop in R does.

skip_if_no_torch()

for (name in names(train_cases)) {
  test_that(paste("a compiled step is that of the loop in R:", name), {
    case <- train_cases[[name]]
    make_model <- if (is.null(case$model)) train_model else case$model
    # Batches of two sizes.
    batches <- rep(slices(train_data(44), 16), 4)
    run <- function(train) {
      model <- make_model()
      optimizer <- case$make(unname(model$parameters))
      torch_manual_seed(3)
      losses <- train(model, optimizer)
      c(train_outcome(model, optimizer), list(losses = losses))
    }
    expected <- run(function(model, optimizer) loop_in_r(model, batches, nnf_mse_loss, optimizer))
    got <- run(function(model, optimizer) {
      step <- jit_train_step(model, nnf_mse_loss, optimizer)
      losses <- vapply(batches, function(batch) as.numeric(step(batch[[1]], batch[[2]])), 0)
      trainer <- environment(step)$trainer
      if (!isTRUE(case$by_r)) expect_s3_class(trainer$update$tape, "torch_tape")
      losses
    })
    expect_equal(got, expected, tolerance = 1e-6)
  })
}

test_that("gradients are clipped as in the loop in R", {
  batches <- rep(slices(train_data(32), 16), 4)
  run <- function(train) {
    model <- train_model()
    optimizer <- optim_sgd(model$parameters, lr = 0.1)
    torch_manual_seed(3)
    train(model, optimizer)
    train_outcome(model, optimizer)
  }
  expected <- run(function(model, optimizer) loop_in_r(model, batches, nnf_mse_loss, optimizer, clip_norm = 0.3))
  got <- run(function(model, optimizer) {
    step <- jit_train_step(model, nnf_mse_loss, optimizer, clip_norm = 0.3)
    for (batch in batches) step(batch[[1]], batch[[2]])
  })
  expect_equal(got, expected, tolerance = 1e-6)
})

test_that("schedulers, hyperparameters and modes that change between steps are seen", {
  batches <- rep(slices(train_data(32), 16), 6)
  run <- function(train) {
    model <- train_model()
    optimizer <- optim_sgd(model$parameters, lr = 0.1, momentum = 0.5)
    scheduler <- lr_step(optimizer, step_size = 2, gamma = 0.5)
    torch_manual_seed(3)
    i <- 0
    after <- function() {
      i <<- i + 1
      scheduler$step()
      if (i == 5) optimizer$param_groups[[1]]$momentum <- 0.9
      if (i == 7) model$eval()
      if (i == 9) model$train()
    }
    train(model, optimizer, after)
    train_outcome(model, optimizer)
  }
  expected <- run(function(model, optimizer, after) loop_in_r(model, batches, nnf_mse_loss, optimizer, after = after))
  got <- run(function(model, optimizer, after) loop_compiled(model, batches, nnf_mse_loss, optimizer, after))
  expect_equal(got, expected, tolerance = 1e-6)
})

test_that("the optimizer can be stepped by R, saved and loaded in between", {
  batches <- rep(slices(train_data(32), 16), 4)
  run <- function(compiled) {
    model <- train_model()
    optimizer <- optim_adam(model$parameters, lr = 0.01)
    torch_manual_seed(3)
    step <- if (compiled) {
      jit_train_step(model, nnf_mse_loss, optimizer)
    } else {
      function(x, y) loop_in_r(model, list(list(x, y)), nnf_mse_loss, optimizer)
    }
    for (i in seq_along(batches)) {
      step(batches[[i]][[1]], batches[[i]][[2]])
      if (i == 4) optimizer$step()
      if (i == 6) optimizer$load_state_dict(optimizer$state_dict())
    }
    train_outcome(model, optimizer)
  }
  expect_equal(run(TRUE), run(FALSE), tolerance = 1e-6)
})

test_that("users' own optimizers are compiled where their numbers can be followed", {
  optim_descent <- optimizer(
    "optim_descent",
    initialize = function(params, lr = 0.1) super$initialize(params, list(lr = lr)),
    step = function() {
      with_no_grad({
        for (group in self$param_groups) {
          for (param in group$params) {
            steps <- (state(param)$steps %||% 0) + 1
            state(param) <- list(steps = steps)
            param$sub_(group$lr / sqrt(steps) * param$grad)
          }
        }
      })
    }
  )
  batches <- rep(slices(train_data(32), 16), 4)
  run <- function(compiled) {
    model <- train_model()
    optimizer <- optim_descent(model$parameters)
    torch_manual_seed(3)
    if (compiled) {
      step <- jit_train_step(model, nnf_mse_loss, optimizer)
      for (batch in batches) step(batch[[1]], batch[[2]])
      expect_s3_class(environment(step)$trainer$update$tape, "torch_tape")
    } else {
      loop_in_r(model, batches, nnf_mse_loss, optimizer)
    }
    c(train_outcome(model, optimizer), list(steps = optimizer$state$get(model$parameters[[1]])$steps))
  }
  expect_equal(run(TRUE), run(FALSE), tolerance = 1e-6)
})

test_that("an optimizer that can't be followed is stepped by R, told once", {
  optim_odd <- optimizer(
    "optim_odd",
    initialize = function(params, lr = 0.1) super$initialize(params, list(lr = lr)),
    step = function() {
      with_no_grad(for (param in self$param_groups[[1]]$params) {
        steps <- as.numeric(state(param)$steps %||% 0) + 1
        state(param) <- list(steps = steps)
        param$sub_(self$param_groups[[1]]$lr / steps * param$grad)
      })
    }
  )
  batches <- rep(slices(train_data(32), 16), 3)
  run <- function(compiled) {
    model <- train_model()
    optimizer <- optim_odd(model$parameters)
    torch_manual_seed(3)
    if (compiled) {
      step <- jit_train_step(model, nnf_mse_loss, optimizer)
      told <- 0
      withCallingHandlers(
        for (batch in batches) step(batch[[1]], batch[[2]]),
        torch_optimizer_not_compiled = function(m) {
          told <<- told + 1
          invokeRestart("muffleMessage")
        }
      )
      expect_equal(told, 1)
    } else {
      loop_in_r(model, batches, nnf_mse_loss, optimizer)
    }
    train_outcome(model, optimizer)
  }
  expect_equal(run(TRUE), run(FALSE), tolerance = 1e-6)
})

test_that("a model whose course depends on values is compiled by jit_script()", {
  nn_choice <- nn_module(
    initialize = function() {
      self$a <- nn_linear(4, 2)
      self$b <- nn_linear(4, 2)
    },
    forward = function(x) if (as.logical(sum(x) > 0)) self$a(x) else self$b(x)
  )
  batches <- rep(slices(train_data(32), 8), 3)
  run <- function(compiled) {
    torch_manual_seed(11)
    model <- nn_choice()
    optimizer <- optim_adam(model$parameters, lr = 0.01)
    if (compiled) {
      step <- jit_train_step(model, nnf_mse_loss, optimizer)
      for (batch in batches) step(batch[[1]], batch[[2]])
    } else {
      loop_in_r(model, batches, nnf_mse_loss, optimizer)
    }
    as.numeric(torch_cat(lapply(model$parameters, torch_flatten)))
  }
  expect_equal(run(TRUE), run(FALSE), tolerance = 1e-6)
})

test_that("what a recording can't see is found by the second batch", {
  counter <- 0
  loss <- function(output, target) {
    counter <<- counter + 1
    nnf_mse_loss(output, target) * counter
  }
  model <- train_matrices()
  step <- jit_train_step(model, loss, optim_sgd(model$parameters, lr = 0.1))
  data <- train_data(16)
  step(data[[1]], data[[2]])
  expect_error(step(data[[1]], data[[2]] + 1), NA)
  expect_s3_class(environment(step)$trainer$program, "script_module")
})

test_that("modules within that change their mode, frozen parameters and new groups are seen", {
  batches <- rep(slices(train_data(32), 16), 8)
  change <- function(i, model, optimizer, extra) {
    if (i == 4) model[[2]]$eval()
    if (i == 6) model[[1]]$weight$requires_grad_(FALSE)
    if (i == 9) optimizer$add_param_group(list(params = list(extra)))
    if (i == 10) model[[2]]$train()
    if (i == 12) model[[1]]$weight$requires_grad_(TRUE)
  }
  for (make in list(function(p) optim_sgd(p, lr = 0.1), function(p) optim_adam(p, lr = 0.01, weight_decay = 0.1))) {
    run <- function(train) {
      model <- train_model()
      optimizer <- make(model$parameters)
      extra <- nn_parameter(torch_ones(1))
      torch_manual_seed(3)
      i <- 0
      train(model, function(output, target) nnf_mse_loss(output * extra, target), optimizer, function() {
        i <<- i + 1
        change(i, model, optimizer, extra)
      })
      list(train_outcome(model, optimizer), as.numeric(extra))
    }
    expected <- run(function(model, loss, optimizer, after) loop_in_r(model, batches, loss, optimizer, after = after))
    expect_false(expected[[2]] == 1)
    got <- run(function(model, loss, optimizer, after) loop_compiled(model, batches, loss, optimizer, after))
    expect_equal(got, expected, tolerance = 1e-5)
  }
})

test_that("buffers that the model replaces are followed, in recordings and in programs", {
  nn_moving <- nn_module(
    initialize = function(choose) {
      self$linear <- nn_linear(4, 2)
      self$mean <- nn_buffer(torch_zeros(4))
      self$choose <- choose
    },
    forward = function(x) {
      self$mean <- self$mean * 0.9 + x$mean(1)$detach() * 0.1
      if (self$choose) if (as.logical(x$sum() > 1e5)) x <- x + 1
      self$linear(x - self$mean)
    }
  )
  batches <- rep(slices(train_data(32), 16), 4)
  for (choose in c(FALSE, TRUE)) {
    run <- function(train) {
      torch_manual_seed(11)
      model <- nn_sequential(nn_moving(choose))
      optimizer <- optim_sgd(model$parameters, lr = 0.1)
      i <- 0
      train(model, optimizer, function() if ((i <<- i + 1) == 5) with_no_grad(model[[1]]$mean$zero_()))
      lapply(model$state_dict(), as_array)
    }
    expected <- run(function(model, optimizer, after) loop_in_r(model, batches, nnf_mse_loss, optimizer, after = after))
    got <- run(function(model, optimizer, after) {
      step <- loop_compiled(model, batches, nnf_mse_loss, optimizer, after)
      expect_identical(is.null(environment(step)$trainer$program), !choose)
    })
    expect_equal(got, expected, tolerance = 1e-6)
  }
})

test_that("R's random numbers are drawn anew in each step", {
  data <- train_data(16)
  withr::local_seed(1)
  draws <- stats::runif(5)
  model <- train_matrices()
  model$eval()
  step <- jit_train_step(model, function(output, target) (output * 0)$sum() + stats::runif(1), optim_sgd(model$parameters, lr = 0))
  set.seed(1)
  expect_equal(vapply(1:5, function(i) as.numeric(step(data[[1]], data[[2]])), 0), draws, tolerance = 1e-6)
})

test_that("a step keeps no batch alive", {
  skip_if_no_torch()
  model <- train_matrices()
  step <- jit_train_step(model, nnf_mse_loss, optim_sgd(model$parameters, lr = 0.1))
  data <- train_data(16)
  step(data[[1]], data[[2]])
  expect_null(environment(step)$trainer$call)
  expect_error(step(data[[1]]), "target of `loss`")
  expect_null(environment(step)$trainer$call)
})

test_that("errors name what is wrong", {
  model <- train_matrices()
  optimizer <- optim_sgd(model$parameters, lr = 0.1)
  data <- train_data(16)
  expect_snapshot(error = TRUE, {
    jit_train_step(nn_linear, nnf_mse_loss, optimizer)
    jit_train_step(model, "mse", optimizer)
    jit_train_step(model, nnf_mse_loss, model$parameters)
    jit_train_step(model, nnf_mse_loss, optimizer, clip_norm = -1)
    jit_train_step(model, function(output, target) output - target, optimizer)(data[[1]], data[[2]])
    jit_train_step(model, nnf_mse_loss, optimizer)(data[[1]]$narrow(2, 1, 2), data[[2]])
    step <- jit_train_step(model, nnf_mse_loss, optimizer)
    step(NULL, data[[2]])
    step(data[[1]], 1)
    step(data[[1]])
    step()
    step(data[[1]], data[[1]], data[[2]])
    jit_train_step(model, NULL, optimizer)()
    jit_train_step(model, function(output, target) 3, optimizer)(data[[1]], data[[2]])
    jit_train_step(model, function(output, target) stop("of the user"), optimizer)(data[[1]], data[[2]])
    jit_train_step(model, function(output, target) target$sum(), optimizer)(data[[1]], data[[2]])
    jit_train_step(nn_linear(4, 2), nnf_mse_loss, optimizer)(data[[1]], data[[2]])
  })
  nn_odd <- nn_module(
    initialize = function() self$w <- nn_parameter(torch_ones(4, 2)),
    forward = function(x) {
      as.numeric(sum(x))
      get("w", envir = self) + x$sum()
    }
  )
  odd <- nn_odd()
  expect_snapshot(error = TRUE, jit_train_step(odd, function(o, y) o$sum(), optim_sgd(odd$parameters, lr = 0.1))(data[[1]], data[[2]]), transform = without_lines)
  expect_output(print(jit_train_step(model, nnf_mse_loss, optimizer)), "torch_train_step.*nn_sequential.*optim_sgd")
})

test_that("operators of a compiled step run as kernels, forward and backward, and nothing changes but speed", {
  skip_if_no_fuser()
  gelu <- function(x) 0.5 * x * (1 + torch_tanh(0.7978845608 * (x + 0.044715 * x^3)))
  net <- nn_module(
    initialize = function() {
      self$wide <- nn_linear(4, 32)
      self$drop <- nn_dropout(0.2)
      self$gates <- nn_linear(32, 32)
      self$out <- nn_linear(8, 2)
    },
    forward = function(x) {
      x <- self$drop(gelu(self$wide(x)))
      gates <- self$gates(x)$chunk(4, 2)
      state <- torch_sigmoid(gates[[1]]) * torch_tanh(gates[[2]])
      self$out(state + torch_sigmoid(gates[[3]]) * nnf_silu(gates[[4]]))
    }
  )
  loss <- function(output, target) torch_mean((output - target)^2)
  # Twelve steps make more of a rounding than float32 has digits for.
  usual <- torch_get_default_dtype()
  torch_set_default_dtype(torch_double())
  withr::defer(torch_set_default_dtype(usual))
  batches <- rep(slices(train_data(44), 16), 4)
  run <- function(train) {
    torch_manual_seed(11)
    model <- net()
    # Adam divides a gradient by its own size: where that is all rounding, so is the step.
    optimizer <- optim_sgd(model$parameters, lr = 0.1, momentum = 0.9)
    torch_manual_seed(3)
    losses <- train(model, optimizer)
    c(train_outcome(model, optimizer), list(losses = losses))
  }
  compiled <- function(model, optimizer) {
    step <- jit_train_step(model, loss, optimizer)
    vapply(batches, function(batch) as.numeric(step(batch[[1]], batch[[2]])), 0)
  }
  expected <- run(function(model, optimizer) loop_in_r(model, batches, loss, optimizer))
  before <- cpp_fuser_counts()
  # Operators run until their kernels are there.
  expect_equal(run(compiled), expected, tolerance = 1e-10)
  local_at_once()
  expect_equal(run(compiled), expected, tolerance = 1e-10)
  made <- cpp_fuser_counts() - before
  expect_gt(sum(made[1:2]), 5)
  expect_equal(made[[3]], 0)
  before <- cpp_fuser_counts()
  expect_equal(with_jit_fusion(code = run(compiled), fuser = "none"), expected, tolerance = 1e-10)
  expect_equal(cpp_fuser_counts(), before)
})

test_that("kernels that prepare a backward pass only where gradients are on do so in a compiled step", {
  # Those of recurrent layers do.
  net <- nn_module(
    initialize = function() {
      self$recurrent <- nn_lstm(4, 8, batch_first = TRUE)
      self$out <- nn_linear(8, 2)
    },
    forward = function(x) self$out(self$recurrent(x)[[1]][, -1, ])
  )
  torch_manual_seed(5)
  x <- torch_randn(6, 5, 4)
  y <- torch_randn(6, 2)
  run <- function(train) {
    torch_manual_seed(11)
    model <- net()
    optimizer <- optim_adam(model$parameters, lr = 0.01)
    c(list(losses = train(model, optimizer)), train_outcome(model, optimizer))
  }
  expected <- run(function(model, optimizer) loop_in_r(model, rep(list(list(x, y)), 4), nnf_mse_loss, optimizer))
  got <- run(function(model, optimizer) {
    step <- jit_train_step(model, nnf_mse_loss, optimizer)
    vapply(1:4, function(i) as.numeric(step(x, y)), 0)
  })
  expect_equal(got, expected, tolerance = 1e-5)
})

test_that("derivatives that a recording holds are those of LibTorch", {
  skip_if_no_fuser()
  local_at_once()
  x <- torch_randn(7, 33)
  y <- torch_randn(7, 33)
  functions <- list(
    tanh = torch_tanh, sigmoid = torch_sigmoid, relu = nnf_relu, gelu = nnf_gelu, silu = nnf_silu, elu = nnf_elu,
    gelu_tanh = function(x) nnf_gelu(x, approximate = "tanh"), leaky = function(x) nnf_leaky_relu(x, 0.1),
    selu = nnf_selu, celu = function(x) nnf_celu(x, 0.7), mish = nnf_mish, softplus = function(x) nnf_softplus(x, 2, 1),
    hardtanh = function(x) nnf_hardtanh(x, -0.5, 0.6), hardsigmoid = nnf_hardsigmoid, hardswish = nnf_hardswish,
    logsigmoid = nnf_logsigmoid, softmax = function(x) nnf_softmax(x, 2), log_softmax = function(x) nnf_log_softmax(x, 2),
    centred = function(x) x - x$mean(2)$unsqueeze(2), mse = function(x) nnf_mse_loss(x, x * 2)
  )
  for (name in names(functions)) {
    f <- functions[[name]]
    run <- function(train) {
      weight <- nn_parameter(torch_linspace(-1, 1, 33))
      model <- nn_module(initialize = function() self$weight <- weight, forward = function(x) f(x * self$weight * 3) * 2 + 1)()
      optimizer <- optim_sgd(model$parameters, lr = 0.1)
      loss <- function(output, target) torch_mean((output - target)^2)
      train(model, loss, optimizer)
      as_array(model$weight)
    }
    by_step <- function(model, loss, optimizer) {
      step <- jit_train_step(model, loss, optimizer)
      for (i in 1:3) step(x, y)
    }
    by_loop <- function(model, loss, optimizer) loop_in_r(model, rep(list(list(x, y)), 3), loss, optimizer)
    before <- sum(cpp_fuser_counts()[1:2])
    expect_equal(run(by_step), run(by_loop), tolerance = 1e-5, label = name)
    expect_gt(sum(cpp_fuser_counts()[1:2]), before, label = name)
  }
})

test_that("a name of a step's tensor that says another position is an error", {
  skip_if_no_torch()
  model <- nn_module(initialize = function() self$l <- nn_linear(2, 1), forward = function(x, mask = NULL) if (is.null(mask)) self$l(x) else self$l(x) * mask)()
  step <- jit_train_step(model, nnf_mse_loss, optim_sgd(model$parameters, lr = 0))
  x <- torch_randn(3, 2)
  y <- torch_randn(3, 1)
  mask <- torch_ones(3, 1)
  expect_equal(as.numeric(step(x = x, y = y)), as.numeric(step(x, y)))
  expect_equal(as.numeric(step(x = x, mask = mask, y)), as.numeric(step(x, mask, y)))
  expect_no_error(step(x, mask = y))
  expect_error(step(y = y, x = x), "`x` is input 1 of the model, and stands at position 2", class = "value_error")
  expect_error(step(mask = mask, x = x, y = y), "`mask` is input 2 of the model, and stands at position 1", class = "value_error")
})
