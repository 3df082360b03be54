test_that("a generator has the formals of initialize and an instance those of forward", {
  expect_identical(formals(net), as.pairlist(alist(inputs = , hidden = 4)))
  expect_s3_class(net, c("net", "nn_module", "nn_module_generator"), exact = TRUE)
  skip_if_no_torch()
  model <- net(3)
  expect_identical(formals(model), as.pairlist(alist(x = )))
  expect_s3_class(model, c("net", "nn_module"), exact = TRUE)
  expect_true(is_nn_module(model))
  expect_false(is_nn_module(net))
})

test_that("arguments of initialize may have any name, be missing, and have defaults that use self", {
  any_name <- nn_module(
    initialize = function(call, new, env, x = self$base * 2, absent) {
      self$got <- list(call, new, env, x, missing(absent))
    },
    base = 21
  )
  expect_identical(any_name(1, env = 3, new = 2)$got, list(1, 2, 3, 42, TRUE))
  expect_identical(do.call(any_name, list(1, 2, 3, 4))$got, list(1, 2, 3, 4, TRUE))
  expect_identical(lapply(1:2, any_name, 0, 0)[[2]]$got[[1]], 2L)
})

test_that("inheritance reaches the methods above", {
  skip_if_no_torch()
  child <- nn_module(
    "child",
    inherit = net,
    initialize = function(...) {
      super$initialize(...)
      self$third <- nn_linear(1, 1)
    },
    forward = function(x) self$third(super$forward(x)),
    private = list(secret = 3),
    active = list(open = function() private$secret)
  )
  model <- child(3)
  expect_s3_class(model, c("child", "net", "nn_module"), exact = TRUE)
  expect_length(model$children, 3)
  expect_equal(model(torch_ones(2, 3))$shape, c(2, 1))
  expect_identical(model$open, 3)
})

test_that("train and eval set the whole tree and return the module", {
  skip_if_no_torch()
  model <- net(3)
  expect_true(model$training)
  expect_invisible(model$eval())
  expect_identical(model$eval()(torch_zeros(1, 3))$shape, c(1L, 1L))
  expect_false(model$hidden$training)
  model$train()
  expect_true(model$output$training)
})

test_that("apply visits children first", {
  skip_if_no_torch()
  seen <- character()
  net(3)$apply(function(m) seen <<- c(seen, class(m)[[1]]))
  expect_identical(seen, c("nn_linear", "nn_linear", "net"))
})

test_that("mistakes are told", {
  skip_if_no_torch()
  model <- net(3)
  expect_error(model$parameters <- list(), class = "runtime_error")
  expect_error(model$training <- 1, class = "value_error")
  expect_error(nn_parameter(1), class = "type_error")
  expect_error(model$load_state_dict(list()), class = "value_error")
  expect_error(model$to(dtype = torch_long()), class = "value_error")
  expect_error(model$add_module("a", nn_relu), "must be initialized")
  expect_error(model$add_module("a", 1), "but got object of type")
  expect_error(nn_module(inherit = 1), class = "value_error")
  expect_snapshot(error = TRUE, {
    model$parameters <- list()
    model$training <- 1
    nn_parameter(1)
    model$load_state_dict(list())
    model$to(dtype = torch_long())
    nn_sequential(nn_relu)
    nn_sequential(1)
    nn_module()()(1)
    nn_module("n", 1)
  })
})

test_that("members have names, and a refused one leaves the module as it was", {
  skip_if_no_torch()
  m <- nn_linear(1, 1)
  expect_snapshot(error = TRUE, {
    m$register_parameter("", torch_ones(1))
    m$register_buffer(NA, torch_ones(1))
    m$register_buffer("x", 1)
    m$add_module("forward", nn_relu())
    m$add_module("", nn_relu())
    m$apply(1)
    m$load_state_dict(1)
    m$load_state_dict(list(torch_ones(1)))
  })
  expect_named(m$parameters, c("weight", "bias"))
  expect_length(m$children, 0)
})
