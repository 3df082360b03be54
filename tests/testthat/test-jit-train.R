# Epochs in the shim leave everything as the loop in R over a data loader does.

skip_if_no_torch()

test_that("epochs over tensors are those of a loop over the data loader", {
  data <- train_data(100)
  run <- function(train) {
    model <- train_model()
    optimizer <- optim_adam(model$parameters, lr = 0.01)
    torch_manual_seed(3)
    losses <- train(model, optimizer)
    c(train_outcome(model, optimizer), list(losses = losses))
  }
  for (drop_last in c(FALSE, TRUE)) {
    loader <- function() dataloader(tensor_dataset(data[[1]], data[[2]]), batch_size = 16, shuffle = TRUE, drop_last = drop_last)
    expected <- run(function(model, optimizer) {
      loader <- loader()
      vapply(1:5, function(epoch) mean(loop_in_r(model, as.list(loader), nnf_mse_loss, optimizer)), 0)
    })
    by_tensors <- run(function(model, optimizer) {
      jit_train(model, data, nnf_mse_loss, optimizer, epochs = 5, batch_size = 16, drop_last = drop_last)$loss
    })
    by_loader <- run(function(model, optimizer) {
      jit_train(model, loader(), nnf_mse_loss, optimizer, epochs = 5)$loss
    })
    expect_equal(by_tensors, expected, tolerance = 1e-6)
    expect_equal(by_loader, expected, tolerance = 1e-6)
  }
})

test_that("other data sets are gone through by their loader", {
  squares <- dataset(
    initialize = function() self$x <- train_data(40),
    .getitem = function(i) list(x = self$x[[1]][i, ], y = self$x[[2]][i, ]),
    .length = function() 40
  )
  run <- function(train) {
    model <- train_matrices()
    optimizer <- optim_sgd(model$parameters, lr = 0.05)
    torch_manual_seed(3)
    train(model, optimizer)
    train_outcome(model, optimizer)
  }
  expected <- run(function(model, optimizer) {
    loader <- dataloader(squares(), batch_size = 16, shuffle = TRUE)
    for (epoch in 1:3) loop_in_r(model, as.list(loader), nnf_mse_loss, optimizer)
  })
  got <- run(function(model, optimizer) jit_train(model, squares(), nnf_mse_loss, optimizer, epochs = 3, batch_size = 16))
  expect_equal(got, expected, tolerance = 1e-6)
})

test_that("schedulers step after epochs or after steps", {
  data <- train_data(64)
  for (by in c("epoch", "step")) {
    run <- function(train) {
      model <- train_matrices()
      optimizer <- optim_sgd(model$parameters, lr = 0.1)
      scheduler <- lr_step(optimizer, 2, gamma = 0.7)
      torch_manual_seed(3)
      train(model, optimizer, scheduler)
      train_outcome(model, optimizer)
    }
    expected <- run(function(model, optimizer, scheduler) {
      for (epoch in 1:4) {
        loader <- dataloader(tensor_dataset(data[[1]], data[[2]]), batch_size = 16, shuffle = TRUE)
        loop_in_r(model, as.list(loader), nnf_mse_loss, optimizer, after = if (by == "step") scheduler$step)
        if (by == "epoch") scheduler$step()
      }
    })
    got <- run(function(model, optimizer, scheduler) {
      jit_train(
        model, data, nnf_mse_loss, optimizer, epochs = 4, batch_size = 16, scheduler = scheduler, scheduler_by = by
      )
    })
    expect_equal(got, expected, tolerance = 1e-6)
  }
})

test_that("a callback gets its turn every so many steps and can end the training", {
  data <- train_data(100)
  model <- train_matrices()
  seen <- list()
  history <- jit_train(
    model, data, nnf_mse_loss, optim_sgd(model$parameters, lr = 0.05), epochs = 5, batch_size = 10, every = 4,
    callback = function(state) {
      seen[[length(seen) + 1L]] <<- c(state$epoch, state$step, state$n_steps)
      state$epoch < 2
    }
  )
  expect_equal(do.call(rbind, seen), rbind(c(1, 4, 10), c(1, 8, 10), c(1, 10, 10), c(2, 4, 10)))
  expect_equal(history$epoch, 1:2)
})

test_that("validation, metrics, patience and checkpoints", {
  data <- train_data(60)
  valid <- train_data(20)
  model <- train_model()
  optimizer <- optim_adam(model$parameters, lr = 0.01)
  folder <- withr::local_tempdir()
  history <- jit_train(
    model, data, nnf_mse_loss, optimizer, epochs = 3, batch_size = 16, valid_data = valid,
    metrics = list(largest = function(output, target) (output - target)$abs()$max()$item()),
    checkpoint = file.path(folder, "epoch-%d.pt")
  )
  expect_named(history, c("epoch", "loss", "valid_loss", "largest", "lr", "seconds"))
  expect_true(model$training)
  model$eval()
  expect_equal(history$valid_loss[[3]], nnf_mse_loss(model(valid[[1]]), valid[[2]])$item(), tolerance = 1e-5)
  saved <- torch_load(file.path(folder, "epoch-3.pt"))
  expect_equal(as_array(saved$model[["0.weight"]]), as_array(model$state_dict()[["0.weight"]]))
  expect_equal(saved$epoch, 3)
  expect_equal(nrow(saved$history), 3)
  stuck <- jit_train(model, data, nnf_mse_loss, optim_sgd(model$parameters, lr = 0), epochs = 10, valid_data = valid, patience = 2)
  expect_equal(nrow(stuck), 3)
})

test_that("validation leaves each module its mode", {
  model <- train_model()
  model[[2]]$eval()
  data <- train_data(32)
  jit_train(model, data, nnf_mse_loss, optim_sgd(model$parameters, lr = 0.1), valid_data = data)
  expect_identical(unname(vapply(model$modules, function(module) module$training, NA)), c(TRUE, TRUE, FALSE, TRUE, TRUE, TRUE))
})

test_that("an interrupt leaves whole steps", {
  skip_if_no_interrupts()
  skip_if_not_installed("callr")
  seen <- callr::r(libpath = .libPaths(), timeout = 600, function() {
    library(torch)
    data <- list(torch_randn(20000, 4), torch_randn(20000, 2))
    model <- nn_sequential(nn_linear(4, 8), nn_batch_norm1d(8), nn_linear(8, 2))
    optimizer <- optim_adam(model$parameters, lr = 0.01)
    jit_train(model, lapply(data, function(x) x$narrow(1, 1, 160)), nnf_mse_loss, optimizer, batch_size = 16)
    lapply(1:5, function(i) {
      before <- as.numeric(model$buffers[["1.num_batches_tracked"]])
      # The first steps may take long on a machine that has much to do.
      interrupt <- function(state) {
        if (state$epoch == 1) system(sprintf("(sleep 0.%d; kill -INT %d) >/dev/null 2>&1 &", 5 + i %% 3, Sys.getpid()))
      }
      how <- tryCatch({
        jit_train(model, data, nnf_mse_loss, optimizer, epochs = 1e6, batch_size = 16, callback = interrupt)
        "ended"
      }, interrupt = function(i) "interrupted")
      # Batch norm counts its batches: as many as steps were made.
      counts <- vapply(model$parameters, function(p) as.numeric(optimizer$state$get(p)$step), 0)
      batches <- as.numeric(model$buffers[["1.num_batches_tracked"]])
      list(how = how, counts = unique(counts), batches = batches, made = batches - before)
    })
  })
  for (one in seen) {
    expect_equal(one$how, "interrupted")
    expect_gt(one$made, 0)
    expect_equal(one$counts, one$batches)
  }
})

test_that("an interrupt in a step that R makes comes behind it", {
  skip_if_no_interrupts()
  skip_if_no_torch()
  data <- list(torch_randn(64, 4), torch_randn(64, 2))
  model <- nn_sequential(nn_linear(4, 8), nn_batch_norm1d(8), nn_linear(8, 2))
  optimizer <- optim_adam(model$parameters, lr = 0.01)
  step <- optimizer$step
  unlockBinding("step", optimizer)
  optimizer$step <- function(closure = NULL) {
    tools::pskill(Sys.getpid(), tools::SIGINT)
    # R looks for interrupts while it computes. Sys.sleep() would end by one whatever holds it back.
    for (i in 1:1e6) i
    optimizer$step <- step
    step(closure)
  }
  how <- tryCatch(
    {
      jit_train(model, data, nnf_mse_loss, optimizer, batch_size = 16)
      "ended"
    },
    interrupt = function(i) "interrupted"
  )
  expect_equal(how, "interrupted")
  batches <- as.numeric(model$buffers[["1.num_batches_tracked"]])
  expect_gt(batches, 0)
  expect_equal(unique(vapply(model$parameters, function(p) as.numeric(optimizer$state$get(p)$step), 0)), batches)
})

test_that("an interrupt ends a step that R or a program makes, and undoes it", {
  skip_if_no_interrupts()
  skip_if_not_installed("callr")
  seen <- callr::r(libpath = .libPaths(), timeout = 600, function() {
    library(torch)
    interrupt_in <- function(seconds) {
      system(sprintf("(sleep %s; kill -INT %d) >/dev/null 2>&1 &", seconds, Sys.getpid()))
    }
    # It never ends once more than `stop_at` batches were seen.
    endless <- nn_module(
      initialize = function() {
        self$layers <- nn_sequential(nn_linear(4, 8), nn_batch_norm1d(8), nn_dropout(0.5), nn_linear(8, 2))
      },
      forward = function(x, stop_at) {
        y <- self$layers(x)
        while (as.logical(self$layers[[2]]$num_batches_tracked > stop_at)) y <- y + 0
        y
      }
    )
    state_of <- function(model, optimizer) {
      list(
        lapply(model$state_dict(), as_array), as_array(torch_get_rng_state()), .Random.seed,
        rapply(optimizer$state_dict()$state, as_array, classes = "torch_tensor", how = "replace")
      )
    }
    run <- function(make_optimizer) {
      set.seed(1)
      torch_manual_seed(1)
      model <- endless()
      optimizer <- make_optimizer(model$parameters)
      step <- jit_train_step(model, nnf_mse_loss, optimizer)
      x <- torch_randn(16, 4)
      y <- torch_randn(16, 2)
      never <- torch_tensor(1e6)
      for (i in 1:3) step(x, never, y)
      before <- state_of(model, optimizer)
      interrupt_in(0.5)
      how <- tryCatch(
        {
          step(x, torch_tensor(0), y)
          "ended"
        },
        interrupt = function(i) "interrupted"
      )
      same <- identical(state_of(model, optimizer), before)
      step(x, never, y)
      list(how = how, same = same, moved = !identical(state_of(model, optimizer), before))
    }
    list(
      program = run(function(params) optim_adam(params, lr = 0.01)),
      closure = run(function(params) optim_lbfgs(params, max_iter = 3))
    )
  })
  for (one in seen) {
    expect_equal(one$how, "interrupted")
    expect_true(one$same)
    expect_true(one$moved)
  }
})

test_that("errors name the argument", {
  model <- train_matrices()
  optimizer <- optim_sgd(model$parameters, lr = 0.1)
  data <- train_data(16)
  expect_snapshot(error = TRUE, {
    jit_train(model, iris, nnf_mse_loss, optimizer)
    jit_train(model, data, nnf_mse_loss, optimizer, epochs = -1)
    jit_train(model, data, nnf_mse_loss, optimizer, every = 0)
    jit_train(model, data, nnf_mse_loss, optimizer, patience = 0)
    jit_train(model, data, nnf_mse_loss, optimizer, callback = 1)
    jit_train(model, data, nnf_mse_loss, optimizer, scheduler = optimizer)
    jit_train(model, data, nnf_mse_loss, optimizer, metrics = list(a = mean))
    jit_train(model, data, nnf_mse_loss, optimizer, metrics = list(mean), valid_data = data)
    jit_train(model, data, nnf_mse_loss, optimizer, checkpoint = 1)
    jit_train(model, data, nnf_mse_loss, optimizer, checkpoint = "no/such/folder/of/mine.pt")
    jit_train(model, data[1], nnf_mse_loss, optimizer)
    jit_train(model, list(data[[1]], as.matrix(data[[2]])), nnf_mse_loss, optimizer)
    jit_train(model, data, nnf_mse_loss, optim_sgd(nn_linear(4, 2)$parameters, lr = 0.1))
    jit_train(model, data, nnf_mse_loss, optimizer, progress = 1)
  })
})
