# Programs written the way packages that stand on torch are: each uses what such a package uses, by the names that it has. Values
# are held against base R.

test_that("a training framework: generators that inherit, contexts, callbacks, what it moves and keeps", {
  skip_if_no_torch()
  torch_manual_seed(1)
  withr::local_seed(1)
  # Methods are put between the user's module and the trainer.
  set_up <- function(module, ...) rlang::exec(nn_module, ..., inherit = module)
  network <- nn_module("network",
    initialize = function(inputs, hidden = 8) {
      self$hidden <- nn_linear(inputs, hidden)
      self$out <- nn_linear(hidden, 1)
    },
    forward = function(x) self$out(nnf_relu(self$hidden(x))),
    predict = function(x) self$forward(x)$squeeze(2)
  )
  generator <- set_up(network,
    loss = function(input, target) nnf_mse_loss(input, target),
    set_optimizers = function(...) optim_adam(self$parameters, ...), metrics = list("mae")
  )
  expect_s3_class(generator, "nn_module_generator")
  expect_named(formals(generator), c("inputs", "hidden"))
  settings <- structure(generator, hparams = list(inputs = 3), class = c("with_settings", class(generator)))
  model <- rlang::inject(settings(!!!attr(settings, "hparams")))
  expect_s3_class(model, "network")
  expect_identical(model$metrics, list("mae"))
  optimizer <- model$set_optimizers(lr = 0.01)
  expect_identical(optimizer$param_groups[[1]]$lr, 0.01)

  moved <- function(x, device) {
    if (is_torch_tensor(x)) return(x$to(device = device))
    if (is.list(x)) x[] <- lapply(x, moved, device)
    x
  }
  context <- R6::R6Class("context", lock_objects = FALSE, public = list(
    records = list(),
    log = function(what, value) self$records[[what]] <- c(self$records[[what]], value)
  ))$new()
  context$model <- model
  context$optimizers <- list(opt = optimizer)
  x <- matrix(rnorm(300), 100)
  data <- tensor_dataset(torch_tensor(x), torch_tensor(x %*% c(1, -2, 3)))
  loader <- structure(list(dl = dataloader(data, batch_size = 32, shuffle = TRUE)), class = "moving_loader")
  # A loader of the framework's own around ours.
  registerS3method("as_iterator", "moving_loader", function(x) {
    item <- as_iterator(x$dl)
    function() {
      batch <- item()
      if (is.list(batch)) list(where = "cpu", batch = moved(batch, "cpu")) else batch
    }
  }, asNamespace("torch"))
  for (epoch in 1:60) {
    context$model$train()
    loop(for (got in loader) {
      batch <- got$batch
      context$loss <- context$model$loss(do.call(context$model, list(batch[[1]])), batch[[2]])
      for (name in names(context$optimizers)) {
        context$optimizers[[name]]$zero_grad()
        context$loss$backward()
        context$optimizers[[name]]$step()
      }
      context$log("loss", context$loss$item())
    })
  }
  losses <- context$records$loss
  expect_length(losses, 4 * 60)
  expect_lt(mean(tail(losses, 4)), 0.2 * mean(losses[1:4]))

  # What it keeps: the best weights, the model in an RDS, in raw bytes, in a connection.
  input <- data[1:3][[1]]
  expected <- as_array(model$predict(input))
  best <- lapply(model$state_dict(), function(x) x$clone())
  with_no_grad(model$parameters[[1]]$add_(1))
  model$load_state_dict(best)
  expect_equal(as_array(model$predict(input)), expected)
  kept <- unserialize(serialize(list(model = model, records = context$records), NULL))
  expect_equal(as_array(kept$model$predict(input)), expected)
  connection <- rawConnection(raw(), open = "wr")
  torch_save(model, connection)
  bytes <- rawConnectionValue(connection)
  close(connection)
  connection <- rawConnection(bytes)
  again <- torch_load(connection)
  close(connection)
  expect_identical(class(again), class(model))
  expect_equal(as_array(again$predict(input)), expected)
  # A class and attributes of the framework's on the model.
  marked <- structure(model, class = c("prepared", class(model)), stage = "fit")
  marked$device <- "cpu"
  expect_identical(model$device, "cpu")
  expect_equal(as_array(marked$predict(input)), expected)
  for (parameter in model$parameters) parameter$requires_grad_(FALSE)
  expect_length(Filter(function(p) p$requires_grad, model$parameters), 0)
})

test_that("modules with private members and active bindings, copied inside R6 objects", {
  skip_if_no_torch()
  scaled <- nn_module("scaled",
    initialize = function() {
      private$factor <- 3
      self$weight <- nn_parameter(torch_ones(2))
    },
    forward = function(x) x * self$twice,
    add = function(x) private$hidden(x),
    private = list(factor = NULL, hidden = function(x) x + private$factor),
    active = list(twice = function(value) {
      if (missing(value)) return(2 * private$factor)
      private$factor <- value
    })
  )
  more <- nn_module("more", inherit = scaled, forward = function(x) super$forward(x) + 1)
  m <- more()
  expect_identical(as_array(m(torch_ones(1))), 7)
  expect_identical(class(m)[1:2], c("more", "scaled"))
  learner <- R6::R6Class("learner", public = list(network = NULL), private = list(
    deep_clone = function(name, value) if (name == "network") value$clone(deep = TRUE) else value
  ))$new()
  learner$network <- m
  other <- learner$clone(deep = TRUE)
  other$network$twice <- 1
  with_no_grad(other$network$weight$add_(1))
  expect_identical(c(m$twice, other$network$twice, m$add(1)), c(6, 2, 4))
  expect_identical(as_array(m$weight), c(1, 1))
})

test_that("attention over the columns of a table: a sparse maximum, ghost batches, embeddings, shared layers", {
  skip_if_no_torch()
  torch_manual_seed(2)
  sparse_maximum <- autograd_function(
    forward = function(ctx, input, dim = -1) {
      input <- input - input$max(dim = dim, keepdim = TRUE)[[1]]
      sorted <- torch_sort(input, descending = TRUE, dim = dim)[[1]]
      over <- sorted$cumsum(dim) - 1
      shape <- rep(1, input$dim())
      shape[1] <- -1
      ranks <- torch_arange(1, input$size(dim), dtype = input$dtype)$view(shape)$transpose(1, dim)
      size <- (ranks * sorted > over)$sum(dim = dim)$unsqueeze(dim)
      output <- torch_clamp(input - over$gather(dim, size) / size$to(input$dtype), min = 0)
      ctx$save_for_backward(size, output)
      ctx$dim <- dim
      output
    },
    backward = function(ctx, grad_output) {
      saved <- ctx$saved_variables
      grad <- grad_output$clone()
      grad[saved[[2]] == 0] <- 0
      shift <- grad$sum(dim = ctx$dim) / saved[[1]]$to(grad$dtype)$squeeze(ctx$dim)
      list(input = torch_where(saved[[2]] != 0, grad - shift$unsqueeze(ctx$dim), grad))
    }
  )
  x <- torch_tensor(matrix(c(1, 2, 0.5, -1.5, 0.1, 2.7), 2), requires_grad = TRUE)
  weights <- torch_tensor(matrix(c(0.3, 1, -1, 2, 0.1, 0.7), 2))
  by_hand <- function(v) {
    rows <- apply(matrix(v, 2), 1, function(row) {
      sorted <- sort(row, decreasing = TRUE)
      k <- max(which(1 + seq_along(sorted) * sorted > cumsum(sorted)))
      pmax(row - (cumsum(sorted)[k] - 1) / k, 0)
    })
    t(rows)
  }
  y <- sparse_maximum(x)
  at <- as.vector(as_array(x))
  expect_equal(as_array(y), by_hand(at), tolerance = 1e-6)
  expect_equal(as_array(nnf_contrib_sparsemax(x, -1)), by_hand(at), tolerance = 1e-6)
  (y * weights)$sum()$backward()
  value <- function(v) sum(by_hand(v) * as_array(weights))
  slopes <- vapply(1:6, function(i) (value(replace(at, i, at[i] + 1e-4)) - value(replace(at, i, at[i] - 1e-4))) / 2e-4, 1)
  expect_equal(as.vector(as_array(x$grad)), slopes, tolerance = 1e-3)

  ghost_norm <- nn_module("ghost_norm",
    initialize = function(features, size = 128, momentum = 0.02) {
      self$size <- size
      self$bn <- nn_batch_norm1d(features, momentum = momentum)
    },
    forward = function(x) torch_cat(lapply(x$chunk(as.integer(ceiling(x$shape[1] / self$size)), 1), self$bn), dim = 1)
  )
  input <- torch_randn(8, 3)
  rows <- as_array(input)
  expected <- rbind(scale(rows[1:4, ]), scale(rows[5:8, ])) * sqrt(4 / 3)
  expect_equal(as_array(ghost_norm(3, 4)(input)), expected, tolerance = 1e-3, ignore_attr = TRUE)

  embeddings <- nn_module("embeddings",
    initialize = function(levels, size) {
      self$tables <- nn_module_list()
      for (n in levels) self$tables$append(nn_embedding(n, size))
      self$is_number <- !seq_len(3) %in% c(1, 3)
    },
    forward = function(x) {
      k <- 0
      columns <- lapply(1:3, function(i) {
        if (self$is_number[i]) return(x[, i]$to(dtype = torch_float())$view(c(-1, 1)))
        k <<- k + 1
        self$tables[[k]](x[, i]$to(dtype = torch_long()))
      })
      torch_cat(columns, dim = 2)
    }
  )
  table <- embeddings(c(4L, 5L), 2)
  out <- table(torch_tensor(cbind(c(1, 4), c(0.5, 0.25), c(5, 2))))
  tables <- lapply(table$parameters, as_array)
  expect_named(tables, c("tables.0.weight", "tables.1.weight"))
  expect_identical(as_array(out), cbind(tables[[1]][c(1, 4), ], c(0.5, 0.25), tables[[2]][c(5, 2), ]))

  gated <- nn_module("gated",
    initialize = function(layer) {
      self$fc <- layer
      self$bn <- ghost_norm(4, 4)
    },
    forward = function(x) {
      x <- self$bn(self$fc(x))
      torch_mul(x[, 1:2], torch_sigmoid(x[, 3:N]))
    }
  )
  block <- nn_module("block",
    initialize = function(shared) {
      self$shared <- shared
      self$steps <- nn_module_list(lapply(seq_along(shared), function(i) gated(shared[[i]])))
      self$register_buffer("group", torch_eye(3))
    },
    forward = function(x) {
      x <- self$steps[[1]](x)
      for (i in 2:length(self$steps)) x <- torch_add(x, self$steps[[i]](x)) * torch_sqrt(torch_tensor(0.5))
      x
    }
  )
  shared <- nn_module_list(list(nn_linear(3, 4, bias = FALSE), nn_linear(2, 4, bias = FALSE)))
  blocks <- nn_module_list(list(block(shared), block(shared)))
  expect_length(grep("shared|fc", names(blocks$parameters)), 2)
  (blocks[[1]](input)$sum() + blocks[[2]](input)$sum())$backward()
  expect_false(is_undefined_tensor(shared[[1]]$weight$grad))
  expect_identical(as_array(torch_multinomial(torch_tensor(c(0, 1, 0)), 5, replacement = TRUE)), rep(2L, 5))
  # The network as bytes in a list that R saves.
  connection <- rawConnection(raw(), open = "wb")
  torch_save(blocks, connection)
  fit <- list(network = NULL, bytes = rawConnectionValue(connection), importances = 1:3)
  close(connection)
  file <- withr::local_tempfile()
  saveRDS(fit, file)
  again <- torch_load(readRDS(file)$bytes)
  blocks$eval()
  again$eval()
  expect_equal(as_array(again[[1]](input)), as_array(blocks[[1]](input)))
  expect_identical(as_array(again[[1]]$group), diag(3))
})

test_that("statistical models by closures: what lbfgs finds is what glm() finds", {
  skip_if_no_torch()
  torch_manual_seed(3)
  x <- cbind(mtcars$wt - 3, mtcars$hp / 100 - 1)
  y <- factor(mtcars$am)
  data <- tensor_dataset(x = torch_tensor(x), y = torch_tensor(as.numeric(y)))
  expect_named(data[1], c("x", "y"))
  loader <- dataloader(data, batch_size = 32)
  model <- nn_module("logistic",
    initialize = function(predictors) {
      layers <- list(nn_linear(predictors, 2), nn_softmax(dim = 2))
      self$model <- nn_sequential(!!!layers)
    },
    forward = function(x) self$model(x)
  )(2)
  optimizer <- optim_lbfgs(model$parameters, lr = 1, history_size = 5, line_search_fn = "strong_wolfe")
  loss_of <- function(batch) nnf_nll_loss(torch_log(model(batch$x)), batch$y$to(dtype = torch_long()), weight = NULL)
  kept <- list()
  for (epoch in 1:30) {
    loop(for (batch in loader) {
      optimizer$step(function() {
        optimizer$zero_grad()
        loss <- loss_of(batch)
        loss$backward()
        loss
      })
    })
    kept[[epoch]] <- lapply(model$state_dict(), function(x) as.array(x$cpu()))
  }
  last <- kept[[30]]
  found <- c(diff(last[[2]]), last[[1]][2, ] - last[[1]][1, ])
  expect_equal(found, unname(coef(glm(y ~ x, family = binomial))), tolerance = 1e-2)
  model$load_state_dict(lapply(kept[[1]], torch_tensor))
  expect_identical(lapply(model$state_dict(), as_array), kept[[1]])
  expect_equal(rowSums(as.array(model(loader$dataset$tensors$x))), rep(1, 32), tolerance = 1e-6)
  # Likelihoods of counts.
  density <- distr_poisson(torch_tensor(c(0, 1))$exp())$log_prob(torch_tensor(c(1, 2)))
  expect_equal(as_array(density), dpois(1:2, exp(0:1), log = TRUE), tolerance = 1e-6)
  # Rows of a data frame as items.
  rows <- dataset("rows", initialize = function(data) self$data <- data, .length = function() nrow(self$data),
    .getitem = function(i) list(x = as.matrix(self$data)[i, ], row = self$data[i, , drop = FALSE])
  )
  frame <- structure(data.frame(a = 1:4, b = c(1.5, 2, 3, 4)), class = c("tbl_df", "tbl", "data.frame"))
  batch <- dataloader_next(dataloader_make_iter(dataloader(rows(frame), batch_size = 2)))
  expect_identical(as_array(batch$x), cbind(c(1, 2), c(1.5, 2)))
  expect_identical(as_array(batch$row$a), 1:2)
})

test_that("optimisers and schedulers of one's own", {
  skip_if_no_torch()
  belief <- optimizer("optim_belief",
    initialize = function(params, lr = 0.001, betas = c(0.9, 0.999), eps = 1e-8, weight_decay = 0, decouple = TRUE) {
      if (lr <= 0) rlang::abort("The learning rate must be positive.")
      private$decouple <- decouple
      super$initialize(params, list(lr = lr, betas = betas, eps = eps, weight_decay = weight_decay))
    },
    private = list(decouple = NULL),
    step = function(closure = NULL) {
      private$step_helper(closure, function(group, param, g, p) {
        grad <- param$grad
        if (length(state(param)) == 0) {
          state(param) <- list()
          state(param)[["step"]] <- 0
          state(param)[["exp_avg"]] <- torch_zeros_like(param, memory_format = torch_preserve_format())
          state(param)[["exp_avg_var"]] <- torch_zeros_like(param)
        }
        state(param)[["step"]] <- state(param)[["step"]] + 1
        k <- state(param)[["step"]]
        beta <- group[["betas"]]
        if (private$decouple) param$mul_(1 - group[["lr"]] * group[["weight_decay"]])
        mean <- state(param)[["exp_avg"]]$mul_(beta[[1]])$add_(grad, alpha = 1 - beta[[1]])
        away <- grad - mean
        spread <- state(param)[["exp_avg_var"]]$mul_(beta[[2]])$addcmul_(away, away, value = 1 - beta[[2]])$add_(group[["eps"]])
        under <- (spread$sqrt() / sqrt(1 - beta[[2]]^k))$add_(group[["eps"]])
        param$addcdiv_(mean, under, value = -group[["lr"]] / (1 - beta[[1]]^k))
      })
    }
  )
  w <- torch_tensor(c(1, -2), requires_grad = TRUE)
  opt <- belief(list(w), lr = 0.1, weight_decay = 0.01)
  expect_s3_class(opt, c("optim_belief", "torch_optimizer"))
  expect_identical(opt$defaults$lr, 0.1)
  by_hand <- c(1, -2)
  mean <- spread <- 0
  for (i in 1:5) {
    opt$zero_grad()
    torch_sum(w^2)$backward()
    opt$step()
    g <- 2 * by_hand
    mean <- 0.9 * mean + 0.1 * g
    spread <- 0.999 * spread + 0.001 * (g - mean)^2 + 1e-8
    by_hand <- by_hand * (1 - 0.1 * 0.01) - 0.1 / (1 - 0.9^i) * mean / (sqrt(spread) / sqrt(1 - 0.999^i) + 1e-8)
  }
  expect_equal(as_array(w), by_hand, tolerance = 1e-5)
  again <- belief(list(w), lr = 0.3)
  again$load_state_dict(opt$state_dict())
  expect_identical(c(again$param_groups[[1]]$lr, again$state$get(w)$step), c(0.1, 5))
  loss <- opt$step(function() {
    opt$zero_grad()
    loss <- torch_sum(w^2)
    loss$backward()
    loss
  })
  expect_equal(loss$item(), sum(by_hand^2), tolerance = 1e-5)
  expect_error(belief(list(w), lr = -1), "positive")

  # One that goes through its groups itself.
  plain <- optimizer("optim_plain",
    initialize = function(params, lr = optim_required()) super$initialize(params, list(lr = lr)),
    step = function(closure = NULL) {
      with_no_grad(for (group in self$param_groups) for (param in group$params) {
        if (is.null(param$grad) || is_undefined_tensor(param$grad)) next
        self$state$set(param, list(n = (self$state$get(param)$n %||% 0) + 1))
        param$sub_(param$grad, alpha = group$lr)
      })
    }
  )
  expect_error(plain(list(w)), "lr")
  opt <- plain(list(list(params = w, lr = 0.5), list(params = list(torch_ones(1, requires_grad = TRUE)), lr = 0.1)))
  w$grad <- torch_tensor(c(1, 2))
  before <- as_array(w)
  opt$step()
  expect_equal(as_array(w), before - 0.5 * c(1, 2), tolerance = 1e-6)
  opt$add_param_group(list(params = list(torch_zeros(2, requires_grad = TRUE)), lr = 3))
  for (i in seq_along(opt$param_groups)) opt$param_groups[[i]]$lr <- opt$param_groups[[i]]$lr / 10
  expect_equal(vapply(opt$param_groups, `[[`, 1, "lr"), c(0.05, 0.01, 0.3))

  warm <- lr_scheduler("lr_warm",
    initialize = function(optimizer, n, last_epoch = -1) {
      self$n <- n
      super$initialize(optimizer, last_epoch)
    },
    get_lr = function() if (self$last_epoch < self$n) self$base_lrs * (self$last_epoch + 1) / self$n else self$base_lrs
  )
  opt <- optim_sgd(list(w), lr = 1)
  schedule <- warm(opt, 4)
  rates <- opt$param_groups[[1]]$lr
  for (i in 1:5) {
    schedule$step()
    rates[i + 1] <- opt$param_groups[[1]]$lr
  }
  expect_equal(rates, c(0.25, 0.5, 0.75, 1, 1, 1))
})

test_that("statistics: a partial likelihood, effects made orthogonal, monotone functions", {
  skip_if_no_torch()
  torch_manual_seed(8)
  withr::local_seed(8)
  time <- c(5, 3, 9, 1, 7)
  event <- c(1, 1, 0, 1, 1)
  eta <- torch_tensor(c(0.2, -0.5, 1, 0.3, -1), requires_grad = TRUE)
  truth <- torch_tensor(cbind(time, event))
  order <- torch_argsort(truth[, 1], descending = TRUE)
  sorted <- eta$index_select(1, order)
  loss <- -((sorted - torch_logcumsumexp(sorted, dim = 1)) * truth[, 2][order])$sum() / truth[, 2]$sum()
  e <- as_array(eta)
  by_hand <- vapply(which(event == 1), function(i) e[i] - log(sum(exp(e[time >= time[i]]))), 1)
  expect_equal(loss$item(), -mean(by_hand), tolerance = 1e-5)
  loss$backward()
  expect_equal(sum(as_array(eta$grad)), 0, tolerance = 1e-6)

  x <- cbind(1, rnorm(20))
  z <- torch_randn(20, 3)
  q <- linalg_qr(torch_tensor(x))[[1]]
  free <- as_array(z - torch_matmul(q, torch_matmul(q$t(), z)))
  expect_equal(free, unname(residuals(lm(as_array(z) ~ x - 1))), tolerance = 1e-4, ignore_attr = TRUE)

  raw <- torch_tensor(c(-1, 0.5, -2, 0.1), requires_grad = TRUE)
  steps <- torch_cumsum(torch_cat(list(raw[1:1], nnf_softplus(raw[2:4])), dim = 1), dim = 1)
  expect_equal(as_array(steps), cumsum(c(-1, log1p(exp(c(0.5, -2, 0.1))))), tolerance = 1e-6)
  steps$sum()$backward()
  expect_equal(as_array(raw$grad), c(4, plogis(c(0.5, -2, 0.1)) * 3:1), tolerance = 1e-6)
})
