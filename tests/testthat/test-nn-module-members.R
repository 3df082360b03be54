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

test_that("a member is listed once whatever wrote its name first", {
  skip_if_no_torch()
  # The parser's symbols have no mark of their encoding, the string has one. No other test may write this name.
  name <- "\u017c\u00f3\u0142w"
  parse(text = name, keep.source = FALSE)
  net <- nn_module(initialize = function() {
    self[[name]] <- nn_linear(1, 1)
    self$last <- nn_parameter(torch_ones(1))
  })()
  expect_identical(names(net$children), name)
  expect_length(net$parameters, 3)
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

test_that("names complete", {
  skip_if_no_torch()
  expect_true(all(c("hidden", "offset", "parameters", "train") %in% .DollarNames(net(3), "")))
})

test_that("methods see the members as tables", {
  skip_if_no_torch()
  block <- nn_module(
    "block",
    initialize = function() {
      self$first <- nn_linear(2, 2)
      self$add_module("second", nn_relu())
      self$scale <- nn_parameter(torch_ones(2))
      self$shift <- nn_buffer(torch_zeros(2))
    },
    forward = function(x) {
      for (layer in private$modules_) x <- layer(x)
      x * private$parameters_$scale + private$buffers_[[1]]
    },
    tables = function() lapply(list(private$modules_, private$parameters_, private$buffers_), names)
  )
  inheriting <- nn_module("inheriting", block, initialize = function() {
    super$initialize()
    self$third <- nn_tanh()
  })
  net <- block()
  expect_identical(net$tables(), list(c("first", "second"), "scale", "shift"))
  expect_identical(inheriting()$tables()[[1]], c("first", "second", "third"))
  x <- torch_randn(3, 2)
  expect_equal(as_array(net(x)$detach()), as_array(nnf_relu(net$first(x))$detach()))
  # A copy has tables of its own.
  copy <- net$clone()
  copy$scale <- nn_parameter(torch_zeros(2))
  expect_identical(sum(as_array(copy(x)$detach())), 0)
  with_no_grad(net$first$bias$fill_(100))
  expect_gt(sum(as_array(net(x)$detach())), 0)
  copy$third <- nn_tanh()
  expect_identical(copy$tables()[[1]], c("first", "second", "third"))
  expect_identical(net$tables()[[1]], c("first", "second"))
  writes <- nn_module("writes", initialize = function() private$modules_ <- list(), forward = function() NULL)
  expect_error(writes(), "not possible to assign to `modules_`", class = "runtime_error")
})

test_that("methods read the flag and the names of buffers that are not saved as private members", {
  skip_if_no_torch()
  asked <- nn_module("asked",
    initialize = function() {
      self$kept <- nn_buffer(torch_ones(1))
      self$passing <- nn_buffer(torch_ones(1), persistent = FALSE)
    },
    facts = function() list(private$training_, private$non_persistent_buffers_)
  )()
  expect_identical(asked$facts(), list(TRUE, "passing"))
  expect_identical(asked$eval()$facts()[[1]], FALSE)
  expect_output(asked$print(), "asked")
})

test_that("a parameter is not lost by an assignment, and no module holds itself", {
  skip_if_no_torch()
  scaled <- nn_module("scaled", initialize = function() self$w <- nn_parameter(torch_ones(2)), double = function() self$w <- self$w * 2)
  m <- scaled()
  expect_error(m$w <- torch_zeros(2), "`w` is a parameter: assign an `nn_parameter\\(\\)`", class = "type_error")
  expect_error(m$double(), "`w` is a parameter", class = "type_error")
  expect_error(m[["w"]] <- torch_zeros(2), "`w` is a parameter", class = "type_error")
  expect_named(m$parameters, "w")
  m$w <- nn_parameter(torch_zeros(3))
  expect_identical(m$parameters$w$shape, 3L)
  m$w <- NULL
  m$w <- torch_zeros(2)
  expect_length(m$parameters, 0)
  expect_error(m$inner <- m, "can't hold itself", class = "value_error")
})

test_that("a member without a name is an error", {
  skip_if_no_torch()
  net <- nn_module(initialize = function(name) self[[name]] <- nn_linear(1, 1))
  expect_error(net(""), "^A member must have a name", class = "value_error")
})

test_that("a module can't be held by what it holds", {
  skip_if_no_torch()
  parent <- nn_sequential(nn_linear(1, 1), nn_sequential(nn_relu()))
  body <- parent[[2]]
  layer <- body[[1]]
  expect_snapshot(error = TRUE, {
    body$parent <- parent
    layer$add_module("top", parent)
    layer[["self"]] <- layer
    nn_module_list(list(body))$append(body)[[1]]$add_module("up", parent)
  })
  # A list refers to it.
  body$parent <- list(parent)
  expect_identical(names(parent$parameters), c("0.weight", "0.bias"))
  expect_identical(names(parent$state_dict()), c("0.weight", "0.bias"))
  expect_false(parent$eval()[[2]]$training)
  parent$double()
  expect_output(print(parent), "nn_sequential")
  copy <- parent$clone()
  expect_true(identical(attr(copy[[2]]$parent[[1]], "module"), attr(copy, "module")))
  file <- withr::local_tempfile()
  torch_save(parent, file)
  back <- torch_load(file)
  expect_true(identical(attr(back[[2]]$parent[[1]], "module"), attr(back, "module")))
  expect_equal(as_array(jit_trace(parent, torch_ones(1, 1)$double())(torch_ones(2, 1)$double())), as_array(parent(torch_ones(2, 1)$double())))
  # The same child at two places makes no circle.
  shared <- nn_linear(1, 1)
  expect_length(nn_sequential(shared, nn_sequential(shared), shared)$parameters, 2)
})

test_that("large trees of modules are made and copied in a time that grows with them", {
  skip_if_no_torch()
  # The ratio of two times, since a slow machine is slow at both. A square would make it 16.
  ratio <- function(code, n) {
    time <- function(n) min(vapply(1:3, function(i) system.time(code(n))[["user.self"]], 0))
    code(n)
    time(4 * n) / max(time(n), 0.01)
  }
  wrap <- nn_module("wrap", initialize = function(inner) self$inner <- inner, forward = function(x) self$inner(x))
  nest <- function(n) {
    module <- nn_identity()
    for (i in seq_len(n)) module <- wrap(module)
    module
  }
  expect_lt(ratio(nest, 100), 9)
  expect_lt(ratio(function(n) nest(n)$clone(deep = TRUE), 25), 9)
  layers <- lapply(1:2000, function(i) nn_relu())
  expect_lt(ratio(function(n) nn_module_list(layers[seq_len(n)])$children, 500), 9)
  # What holds a module is still known when modules are attached to those that are held.
  inner <- nn_sequential()
  middle <- nn_sequential(inner)
  outer <- nn_sequential(middle)
  expect_error(inner$append(outer), "holds this module itself, as `0.0`", class = "value_error")
  twin <- torch_load(torch_serialize(outer))
  expect_error(twin[[1]][[1]]$append(twin), "holds this module itself", class = "value_error")
})

test_that("flags of modules are TRUE or FALSE", {
  skip_if_no_torch()
  module <- nn_linear(1, 1)
  for (bad in list(NA, c(TRUE, FALSE), "yes", 1, NULL)) {
    calls <- list(
      persistent = quote(module$register_buffer("b", torch_ones(1), bad)), persistent = quote(nn_buffer(torch_ones(1), bad)),
      requires_grad = quote(nn_parameter(torch_ones(1), bad)), requires_grad = quote(module$requires_grad_(bad)),
      keepvars = quote(module$state_dict(keepvars = bad)), recursive = quote(module$named_parameters(bad)),
      recursive = quote(module$named_buffers(bad)), remove_duplicate = quote(module$named_modules(bad)),
      .refer_to_state_dict = quote(module$load_state_dict(module$state_dict(), .refer_to_state_dict = bad)),
      deep = quote(module$clone(bad)), deep = quote(clone_module(module, bad)),
      replace_values = quote(clone_module(module, TRUE, replace_values = bad)),
      error_if_nonfinite = quote(nn_utils_clip_grad_norm_(module$parameters, 1, error_if_nonfinite = bad))
    )
    for (i in seq_along(calls)) {
      expect_error(eval(calls[[i]]), sprintf("`%s` must be TRUE or FALSE", names(calls)[i]), class = "torch_error", label = deparse1(calls[[i]]))
    }
  }
  expect_null(module$b)
  for (bad in list(NA_character_, 1, c("a", "b"), NULL)) {
    expect_error(module$state_dict(prefix = bad), "`prefix` must be a string", class = "value_error")
  }
})

test_that("a method is not replaced in one module", {
  skip_if_no_torch()
  m <- nn_linear(2, 1)
  expect_error(m$forward <- function(x) x, "`forward` is a method", class = "value_error")
  expect_identical(m(torch_ones(1, 2))$shape, c(1L, 1L))
})
