# A module that holds one module, which holds one, and so on, `n` levels deep.
nest <- function(n, layer = link) {
  module <- nn_linear(1, 1)
  for (i in seq_len(n)) module <- layer(module)
  module
}
link <- nn_module(
  "link",
  initialize = function(inner) {
    self$inner <- inner
    self$shift <- nn_parameter(torch_zeros(1))
    self$count <- nn_buffer(torch_zeros(1))
  },
  forward = function(x) self$inner(x) + self$shift
)

test_that("modules that are nested a thousand deep work as others do", {
  model <- nest(1000)
  deepest <- paste(rep("inner", 1000), collapse = ".")
  names <- c(vapply(999:0, function(i) paste0(strrep("inner.", i), "shift"), ""))
  expect_named(model$parameters, c(paste0(deepest, c(".weight", ".bias")), names))
  expect_length(model$buffers, 1000)
  expect_length(model$modules, 1001)
  expect_identical(names(model$named_modules())[c(1, 2, 1001)], c("", "inner", deepest))
  expect_output(print(model), "containing 1,002 parameters")
  expect_identical(nrow(summary(model)), 1001L)

  state <- model$state_dict()
  expect_identical(names(state)[1:3], c("shift", "count", "inner.shift"))
  expect_length(state, 2002)
  state$shift <- torch_ones(1)
  model$load_state_dict(state)
  expect_identical(model$shift$item(), 1)

  copy <- model$clone()
  expect_identical(as_array(copy(torch_ones(1))), as_array(model(torch_ones(1))))
  expect_identical(copy$to(dtype = torch_double())$parameters[[1]]$dtype, torch_double())
  expect_identical(model$parameters[[1]]$dtype, torch_float())
  expect_identical(table(vapply(model$eval()$modules, function(m) m$training, NA))[["FALSE"]], 1001L)
  seen <- 0
  model$apply(function(module) seen <<- seen + 1)
  expect_identical(seen, 1001)

  file <- withr::local_tempfile()
  torch_save(model, file)
  expect_identical(as_array(torch_load(file)(torch_ones(1))), as_array(model(torch_ones(1))))
})

test_that("a tree without an end is an error", {
  model <- nn_linear(1, 1)
  assign("self_again", model, envir = attr(model, "module"))
  expect_snapshot(model$parameters, error = TRUE)
})

test_that("a method of a class in the tree is called for what is below it", {
  calls <- character()
  own <- nn_module(
    "own",
    initialize = function() self$layer <- nn_linear(1, 1),
    forward = function(x) self$layer(x),
    train = function(mode = TRUE) {
      calls <<- c(calls, paste("train", mode))
      super$train(FALSE)
    },
    state_dict = function(prefix = "", keepvars = FALSE) {
      calls <<- c(calls, paste("state_dict", prefix))
      super$state_dict(prefix = prefix, keepvars = keepvars)["layer.weight"]
    },
    apply = function(fn) calls <<- c(calls, "apply"),
    .apply = function(fn) calls <<- c(calls, ".apply"),
    active = list(
      parameters = function(value) list(fake = self$layer$weight),
      modules = function(value) list()
    )
  )
  model <- nn_sequential(nn_linear(2, 1), nn_sequential(own()))
  model$train()
  expect_true(model[[2]]$training)
  expect_false(model[[2]][[1]]$layer$training)
  model$state_dict()
  seen <- 0
  model$apply(function(module) seen <<- seen + 1)
  expect_identical(seen, 3)
  model$double()
  expect_identical(calls, c("train TRUE", "state_dict 1.0.", "apply", ".apply"))
  expect_identical(model[[1]]$weight$dtype, torch_double())
  expect_identical(model[[2]][[1]]$layer$weight$dtype, torch_float())
  expect_named(model$parameters, c("0.weight", "0.bias", "1.0.fake"))
  expect_length(model$modules, 3)
})

test_that("tensors held in several places are found where the first module below has them", {
  shared <- nn_linear(1, 1, bias = FALSE)
  pair <- nn_module(initialize = function() {
    self$own <- shared$weight
    self$first <- nn_sequential(shared)
    self$second <- shared
  })
  model <- pair()
  expect_named(model$parameters, "first.0.weight")
  expect_named(model$state_dict(), c("own", "first.0.weight", "second.weight"))
  expect_length(model$modules, 3)
})
