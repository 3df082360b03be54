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
  dead <- dead_copy(model)
  dead$load_state_dict(model$state_dict(), .refer_to_state_dict = TRUE)
  x <- torch_randn(2, 3)
  expect_equal(as_array(dead(x)), as_array(model(x)))
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

test_that("zero_grad clears the gradients", {
  skip_if_no_torch()
  model <- net(3)
  model(torch_ones(2, 3))$sum()$backward()
  expect_true(as_array(model$offset$grad) != 0)
  model$zero_grad()
  expect_identical(as_array(model$offset$grad), 0)
})

test_that("a state dict with other shapes, or no tensors, is refused", {
  skip_if_no_torch()
  layer <- nn_linear(2, 2)
  before <- as_array(layer$weight)
  expect_error(
    layer$load_state_dict(list(weight = torch_ones(1), bias = torch_zeros(2))), "`weight` of shape \\(1\\), and the module one of \\(2, 2\\)",
    class = "value_error"
  )
  expect_error(layer$load_state_dict(list(weight = 1, bias = 2)), "must hold a tensor for `weight`", class = "type_error")
  expect_identical(as_array(layer$weight), before)
})

test_that("a class may say what it gives to its state dict and takes from it, with its base's way", {
  skip_if_no_torch()
  base <- nn_module("base", initialize = function() self$weight <- nn_parameter(torch_ones(2)), forward = function(x) x * self$weight)
  scaled <- nn_module("scaled", base,
    .save_to_state_dict = function(prefix, keepvars) {
      own <- super$.save_to_state_dict(prefix, keepvars)
      c(own, set_names(list(torch_tensor(2)), paste0(prefix, "scale")))
    },
    .load_from_state_dict = function(state_dict, prefix) {
      state_dict[[paste0(prefix, "weight")]] <- state_dict[[paste0(prefix, "weight")]] * state_dict[[paste0(prefix, "scale")]]
      super$.load_from_state_dict(state_dict, prefix)
    }
  )
  # The method is reached through a class between, too.
  last <- nn_module("last", scaled, .load_from_state_dict = function(state_dict, prefix) super$.load_from_state_dict(state_dict, prefix))
  net <- nn_sequential(nn_linear(1, 1), last())
  state <- lapply(net$state_dict(), function(x) x$clone())
  expect_named(state, c("0.weight", "0.bias", "1.weight", "1.scale"))
  net$load_state_dict(state)
  expect_identical(as_array(net[[2]]$weight), c(2, 2))
  expect_error(net$load_state_dict(state[-1]), "no entry `0.weight`", class = "value_error")
  copy <- net$clone(deep = TRUE)
  copy$load_state_dict(state)
  expect_identical(as_array(copy[[2]]$weight), c(2, 2))
  again <- torch_load(torch_serialize(net))
  again$load_state_dict(state)
  expect_identical(as_array(again[[2]]$weight), c(2, 2))
  # The tensors themselves, where that is asked for.
  net$load_state_dict(state, .refer_to_state_dict = TRUE)
  expect_identical(obj_address(net[[1]]$weight), obj_address(state[["0.weight"]]))
  # From outside, for the module alone.
  expect_named(net[[1]]$.save_to_state_dict("a.", TRUE), c("a.weight", "a.bias"))
  net[[1]]$.load_from_state_dict(list(weight = torch_zeros(1, 1), bias = torch_zeros(1)), "")
  expect_identical(as_array(net[[1]]$weight), matrix(0))
  expect_error(net[[1]]$.load_from_state_dict(list(weight = torch_zeros(1, 1)), ""), "no entry `bias`", class = "value_error")
})
