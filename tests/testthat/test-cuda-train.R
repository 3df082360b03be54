# Compiled training on a GPU: the loop in R, and what it leaves there.

cuda_model <- function() {
  model <- nn_sequential(nn_linear(4, 8), nn_batch_norm1d(8), nn_relu(), nn_linear(8, 2))
  torch_manual_seed(11)
  for (p in model$parameters) with_no_grad(p$copy_(torch_randn_like(p) * 0.3))
  model$cuda()
  model
}

# What training leaves: losses, parameters, gradients and the optimizer's state. The state of random numbers is the CPU's.
cuda_run <- function(train, make = function(p) optim_adam(p, lr = 0.01)) {
  model <- cuda_model()
  optimizer <- make(unname(model$parameters))
  torch_manual_seed(3)
  losses <- train(model, optimizer)
  c(train_outcome(model, optimizer)[c("state", "optimizer", "gradients")], list(losses = losses))
}

# Those that take matrices alone, and those whose steps go by signs of gradients that are zero but for rounding, stay out.
test_that("compiled steps on the device are those of the loop in R", {
  skip_if_no_cuda()
  data <- lapply(train_data(48), function(x) x$cuda())
  batches <- rep(slices(data, 16), 3)
  for (name in setdiff(names(train_cases), c("muon", "rprop"))) {
    make <- train_cases[[name]]$make
    expected <- cuda_run(function(model, optimizer) loop_in_r(model, batches, nnf_mse_loss, optimizer), make)
    got <- cuda_run(function(model, optimizer) {
      step <- jit_train_step(model, nnf_mse_loss, optimizer)
      vapply(batches, function(batch) as.numeric(step(batch[[1]], batch[[2]])), 0)
    }, make)
    expect_equal(got$losses, expected$losses, tolerance = 1e-4, info = name)
    expect_equal(got$state, expected$state, tolerance = 1e-3, info = name)
  }
})

test_that("epochs over tensors on the device are those of a loop over the data loader", {
  skip_if_no_cuda()
  data <- lapply(train_data(100), function(x) x$cuda())
  expected <- cuda_run(function(model, optimizer) {
    loader <- dataloader(tensor_dataset(data[[1]], data[[2]]), batch_size = 16, shuffle = TRUE)
    vapply(1:3, function(epoch) mean(loop_in_r(model, as.list(loader), nnf_mse_loss, optimizer)), 0)
  })
  got <- cuda_run(function(model, optimizer) {
    jit_train(model, data, nnf_mse_loss, optimizer, epochs = 3, batch_size = 16)$loss
  })
  expect_equal(got, expected, tolerance = 1e-3)
})

test_that("steps with dropout and clipped gradients learn on the device", {
  skip_if_no_cuda()
  data <- lapply(train_data(64), function(x) x$cuda())
  model <- train_model()
  model$cuda()
  optimizer <- optim_adam(model$parameters, lr = 0.02)
  step <- jit_train_step(model, nnf_mse_loss, optimizer, clip_norm = 1)
  losses <- vapply(1:200, function(i) as.numeric(step(data[[1]], data[[2]])), 0)
  expect_lt(mean(losses[191:200]), 0.6 * mean(losses[1:5]))
  expect_true(all(vapply(model$parameters, function(p) p$is_cuda, NA)))
})

test_that("a batch on the CPU for a model on the device is refused, and nothing is lost", {
  skip_if_no_cuda()
  data <- train_data(16)
  model <- cuda_model()
  step <- jit_train_step(model, nnf_mse_loss, optim_sgd(model$parameters, lr = 0.1))
  expect_error(step(data[[1]], data[[2]]), "device")
  expect_silent(step(data[[1]]$cuda(), data[[2]]$cuda()))
})
