test_that("users write schedulers", {
  skip_if_no_torch()
  lr_inverse <- lr_scheduler(
    "lr_inverse",
    initialize = function(optimizer, power = 1, last_epoch = -1, verbose = FALSE) {
      self$power <- power
      super$initialize(optimizer, last_epoch, verbose)
    },
    get_lr = function() lapply(self$base_lrs, function(lr) lr / (1 + self$last_epoch)^self$power)
  )
  expect_named(formals(lr_inverse), c("optimizer", "power", "last_epoch", "verbose"))
  opt <- lr_optimizer()
  scheduler <- lr_inverse(opt, 2)
  expect_s3_class(scheduler, c("lr_inverse", "LRScheduler", "R6"), exact = TRUE)
  expect_equal(scheduler$get_last_lr(), c(0.5, 0.05))
  scheduler$step()
  expect_equal(scheduler$get_last_lr(), c(0.125, 0.0125))
  expect_equal(opt$param_groups[[1]]$lr, 0.125)
  expect_equal(scheduler$get_lr(), list(0.125, 0.0125))
  expect_mapequal(scheduler$state_dict(), list(
    base_lrs = c(0.5, 0.05), last_epoch = 1, power = 2, `_step_count` = 2, `_last_lr` = c(0.125, 0.0125)
  ))
  other <- lr_inverse(lr_optimizer())
  # As Python's lists of numbers are read.
  of_python <- list(base_lrs = list(0.5, 0.05), `_is_initial` = FALSE)
  other$load_state_dict(utils::modifyList(scheduler$state_dict(), of_python))
  other$step()
  expect_equal(other$get_last_lr(), c(0.5, 0.05) / 9)
  steeper <- lr_scheduler("lr_steeper", lr_inverse, get_lr = function() lapply(super$get_lr(), function(lr) lr / 2))
  expect_equal(steeper(lr_optimizer())$get_last_lr(), c(0.25, 0.025))
  expect_error(lr_scheduler("lr_nothing")(opt), class = "not_implemented_error")
})

test_that("generators have the members of their class", {
  skip_if_no_torch()
  expect_true("get_lr" %in% names(lr_exponential$public_methods))
  expect_identical(lr_exponential$get_inherit()$classname, "LRScheduler")
  expect_s3_class(lr_exponential$new(lr_optimizer(), 0.9), "lr_exponential")
  expect_snapshot({
    lr_step
    lr_step(lr_optimizer(), 3)
    lr_cosine_annealing_warm_restarts(lr_optimizer(), 3)
  })
})

test_that("what all schedulers are given is checked", {
  skip_if_no_torch()
  optimizer <- optim_sgd(torch_ones(1, requires_grad = TRUE), lr = 1, momentum = 0.9)
  makes <- list(
    function(...) lr_step(optimizer, 1, ...), function(...) lr_lambda(optimizer, function(epoch) 1, ...),
    function(...) lr_one_cycle(optimizer, 1, 10, ...), function(...) lr_cyclic(optimizer, 0.1, 1, ...),
    function(...) lr_cosine_annealing(optimizer, 5, ...)
  )
  for (make in makes) {
    for (bad in list(NA, "a", 1.5, c(1, 2), -2, NULL)) {
      expect_error(make(last_epoch = bad), "`last_epoch` must be a whole number from -1 on", class = "value_error")
    }
    for (bad in list(NA, 1, NULL)) expect_error(make(verbose = bad), "`verbose` must be TRUE or FALSE", class = "value_error")
  }
  expect_error(lr_one_cycle(optimizer, 1, 10, three_phase = NA), "`three_phase` must be TRUE or FALSE", class = "value_error")
  expect_error(lr_one_cycle(optimizer, 1, 10, base_momentum = NA), "`base_momentum` must be a number", class = "value_error")
  expect_error(lr_reduce_on_plateau(optimizer, min_lr = NA), "`min_lr` must be a number", class = "value_error")
  expect_error(lr_reduce_on_plateau(optimizer, verbose = NA), "`verbose` must be TRUE or FALSE", class = "value_error")
  for (name in c("lambda", "alpha", "t0")) {
    expect_error(do.call(optim_asgd, c(list(torch_ones(1)), set_names(list(NA), name))), sprintf("`%s` must be a number", name), class = "value_error")
  }
})
