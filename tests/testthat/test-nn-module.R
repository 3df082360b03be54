net <- nn_module(
  "net",
  initialize = function(inputs, hidden = 4) {
    self$hidden <- nn_linear(inputs, hidden)
    self$output <- nn_linear(hidden, 1)
    self$scale <- nn_buffer(torch_ones(1))
    self$offset <- nn_parameter(torch_zeros(1))
    self$plain <- torch_ones(2)
  },
  forward = function(x) {
    self$output(nnf_relu(self$hidden(x))) * self$scale + self$offset
  }
)

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

test_that("members are found by what is assigned, in the order of assignment", {
  skip_if_no_torch()
  model <- net(3)
  expect_named(model$children, c("hidden", "output"))
  expect_named(
    model$parameters, c("hidden.weight", "hidden.bias", "output.weight", "output.bias", "offset")
  )
  expect_named(model$buffers, "scale")
  expect_named(model$named_parameters(recursive = FALSE), "offset")
  expect_length(model$modules, 3)
  expect_identical(model[[2]]$weight, model$output$weight)
  expect_identical(model[["hidden"]], model$hidden)
  expect_null(model$nothing)
})

test_that("members can be assigned from outside, by [[, and by a helper function", {
  skip_if_no_torch()
  model <- net(3)
  model$extra <- nn_linear(1, 1)
  model[["more"]] <- nn_parameter(torch_ones(1))
  model$hidden$weight <- nn_parameter(torch_zeros(4, 3))
  expect_named(model$children, c("hidden", "output", "extra"))
  expect_true("more" %in% names(model$parameters))
  expect_equal(as_array(model$hidden$weight), matrix(0, 4, 3))

  add_layer <- function(self) self$late <- nn_linear(1, 1)
  helped <- nn_module(initialize = function() add_layer(self))()
  expect_named(helped$parameters, c("late.weight", "late.bias"))
})

test_that("assignments inside methods reach what they are meant for", {
  inside <- nn_module(
    initialize = function() {
      local <- list(a = 1)
      local$a <- 2
      local[["b"]] <- 3
      names(local)[[2]] <- "c"
      frame <- data.frame(x = 1:2)
      frame$y <- 3:4
      matrix <- diag(2)
      matrix[[1, 2]] <- 5
      self$local <- local
      self$frame <- frame
      self$matrix <- matrix
      self$nested <- list(a = list())
      self$nested$a$b <- 7
    }
  )()
  expect_identical(inside$local, list(a = 2, c = 3))
  expect_identical(inside$frame, data.frame(x = 1:2, y = 3:4))
  expect_identical(inside$matrix[1, 2], 5)
  expect_identical(inside$nested, list(a = list(b = 7)))
})

test_that("a new value for a buffer is a buffer", {
  skip_if_no_torch()
  counter <- nn_module(
    initialize = function() self$count <- nn_buffer(torch_zeros(1), persistent = FALSE),
    forward = function() self$count <- self$count + 1
  )()
  counter()
  expect_named(counter$buffers, "count")
  expect_length(counter$state_dict(), 0)
})

test_that("shared tensors and modules are listed once", {
  skip_if_no_torch()
  tied <- nn_module(
    initialize = function() {
      self$a <- nn_linear(2, 2)
      self$b <- self$a
      self$w <- self$a$weight
    }
  )()
  expect_named(tied$parameters, c("a.weight", "a.bias"))
  expect_length(tied$modules, 2)
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

test_that("the state dict holds parameters and persistent buffers, own ones first", {
  skip_if_no_torch()
  model <- net(3)
  state <- model$state_dict()
  expect_named(
    state, c("offset", "scale", "hidden.weight", "hidden.bias", "output.weight", "output.bias")
  )
  expect_true(state$offset$requires_grad)
  expect_named(model$state_dict(prefix = "m.")[1], "m.offset")

  other <- net(3)
  other$load_state_dict(state)
  expect_equal(as_array(other$hidden$weight), as_array(model$hidden$weight))
  expect_false(tensor_address(other$hidden$weight) == tensor_address(model$hidden$weight))

  other$hidden$weight$requires_grad_(FALSE)
  other$load_state_dict(model$state_dict(keepvars = TRUE), .refer_to_state_dict = TRUE)
  expect_identical(tensor_address(other$offset), tensor_address(model$offset))
  expect_false(other$hidden$weight$requires_grad)
  expect_length(other$parameters, 5)
})

test_that("a module whose pointers are dead is revived by a state dict", {
  skip_if_no_torch()
  model <- net(3)
  dead <- unserialize(serialize(model, NULL))
  dead$load_state_dict(model$state_dict(), .refer_to_state_dict = TRUE)
  x <- torch_randn(2, 3)
  expect_equal(as_array(dead(x)), as_array(model(x)))
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

test_that("to() converts floating tensors in place", {
  skip_if_no_torch()
  model <- nn_batch_norm1d(2)
  weight <- model$weight
  before <- tensor_address(weight)
  model(torch_randn(3, 2))$sum()$backward()
  expect_identical(class(model$to(dtype = torch_double())), class(model))
  expect_true(model$weight$dtype == torch_double())
  expect_true(weight$grad$dtype == torch_double())
  expect_true(model$num_batches_tracked$dtype == torch_long())
  expect_identical(tensor_address(model$weight), before)
  expect_true(model$weight$requires_grad)
  expect_named(model$parameters, c("weight", "bias"))
})

test_that("apply visits children first", {
  skip_if_no_torch()
  seen <- character()
  net(3)$apply(function(m) seen <<- c(seen, class(m)[[1]]))
  expect_identical(seen, c("nn_linear", "nn_linear", "net"))
})

test_that("zero_grad clears the gradients", {
  skip_if_no_torch()
  model <- net(3)
  model(torch_ones(2, 3))$sum()$backward()
  expect_true(as_array(model$offset$grad) != 0)
  model$zero_grad()
  expect_identical(as_array(model$offset$grad), 0)
})

test_that("a deep clone has tensors of its own, shared ones shared", {
  skip_if_no_torch()
  tied <- nn_module(
    initialize = function() {
      self$a <- nn_linear(2, 2)
      self$b <- nn_linear(2, 2)
      self$b$weight <- self$a$weight
      self$skip <- nn_buffer(torch_ones(1), persistent = FALSE)
      self$fields <- list(torch_ones(1))
    },
    forward = function(x) self$b(self$a(x)),
    private = list(finalize_deep_clone = function() self$copied <- TRUE)
  )
  model <- tied()
  model$a$bias$requires_grad_(FALSE)
  copy <- model$clone()
  expect_true(copy$copied)
  expect_null(model$copied)
  expect_named(copy$parameters, names(model$parameters))
  expect_identical(tensor_address(copy$b$weight), tensor_address(copy$a$weight))
  expect_false(copy$a$bias$requires_grad)
  expect_length(copy$state_dict(), length(model$state_dict()))
  x <- torch_randn(1, 2)
  expect_equal(as_array(copy(x)), as_array(model(x)))
  with_no_grad(copy$a$weight$zero_())
  with_no_grad(copy$fields[[1]]$zero_())
  expect_false(all(as_array(model$a$weight) == 0))
  expect_identical(as_array(model$fields[[1]]), 1)

  shallow <- clone_module(model)
  expect_identical(tensor_address(shallow$a$weight), tensor_address(model$a$weight))
  shallow$more <- 1
  expect_null(model$more)
})

test_that("a child may be any object of class nn_module", {
  skip_if_no_torch()
  # What a script module offers: fields by `$`, and no R6 object.
  foreign <- structure(function(x) x, class = c("foreign_module", "nn_module"))
  parameter <- nn_parameter(torch_ones(1))
  mode <- NULL
  field <- function(x, name) {
    switch(name,
      parameters = list(w = parameter), buffers = list(), modules = list(x),
      train = function(on) mode <<- on,
      state_dict = function(prefix, keepvars) structure(list(parameter), names = paste0(prefix, "w")),
      load_state_dict = function(sd, ...) with_no_grad(parameter$copy_(sd$w))
    )
  }
  registerS3method("$", "foreign_module", field, envir = asNamespace("torch"))
  registerS3method("[[", "foreign_module", field, envir = asNamespace("torch"))
  model <- nn_module(initialize = function() self$f <- foreign)()
  expect_named(model$parameters, "f.w")
  expect_length(model$modules, 2)
  model$eval()
  expect_false(mode)
  expect_named(model$state_dict(), "f.w")
  model$load_state_dict(list(f.w = torch_zeros(1)))
  expect_identical(as_array(parameter), 0)
})

test_that("printing shows children, parameters and buffers", {
  skip_if_no_torch()
  withr::local_options(cli.unicode = FALSE, cli.num_colors = 1L, width = 60)
  expect_snapshot(print(net(3)))
  expect_snapshot(print(nn_linear(1000, 1000)))
  expect_snapshot(print(net))
})

test_that("names complete", {
  skip_if_no_torch()
  expect_true(all(c("hidden", "offset", "parameters", "train") %in% .DollarNames(net(3), "")))
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

test_that("containers hold modules in order", {
  skip_if_no_torch()
  model <- nn_sequential(nn_linear(2, 3), act = nn_relu(), nn_linear(3, 1))
  expect_named(model$children, c("0", "act", "2"))
  expect_length(model, 3)
  x <- torch_randn(4, 2)
  expect_equal(as_array(model(x)), as_array(model[[3]](nnf_relu(model[[1]](x)))))
  expect_equal(as_array(model[1:2](x)), as_array(nnf_relu(model[[1]](x))))
  expect_length(nn_prune_head(model, 2), 1)
  expect_length(nn_prune_head(net(3)), 1)
  expect_error(nn_prune_head(model, 3), class = "value_error")

  modules <- nn_module_list(list(nn_relu()))
  modules$append(nn_tanh())
  modules$insert(2, nn_sigmoid())
  modules$extend(list(nn_linear(1, 1)))
  expect_identical(
    vapply(as.list(modules), function(m) class(m)[[1]], ""), c("nn_relu", "nn_sigmoid", "nn_tanh", "nn_linear")
  )
  expect_named(modules$parameters, c("3.weight", "3.bias"))
  expect_length(modules, 4)

  dict <- nn_module_dict(list(a = nn_linear(1, 1), b = nn_relu()))
  expect_named(dict$children, c("a", "b"))
  expect_error(nn_module_dict(list(nn_relu())), class = "value_error")
})
