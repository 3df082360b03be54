# Models and loops with which compiled training is compared.

# Dropout and batch norm: random numbers, buffers, two modes.
train_model <- function(inputs = 4) {
  torch_manual_seed(11)
  nn_sequential(nn_linear(inputs, 8), nn_batch_norm1d(8), nn_relu(), nn_dropout(0.3), nn_linear(8, 2))
}

# Matrices alone, as Muon wants them.
train_matrices <- function() {
  torch_manual_seed(11)
  nn_sequential(nn_linear(4, 8, bias = FALSE), nn_relu(), nn_dropout(0.3), nn_linear(8, 2, bias = FALSE))
}

train_data <- function(n = 48) {
  torch_manual_seed(5)
  x <- torch_randn(n, 4)
  list(x, torch_cat(list(x$sum(2, keepdim = TRUE), (x * x)$mean(2, keepdim = TRUE)), 2))
}

# All optimizers of the package; `model`: what they are tried on, another than train_model().
train_cases <- list(
  sgd = list(make = function(p) optim_sgd(p, lr = 0.05)),
  sgd_momentum = list(make = function(p) optim_sgd(p, lr = 0.05, momentum = 0.9, nesterov = TRUE, weight_decay = 0.01)),
  adam = list(make = function(p) optim_adam(p, lr = 0.01)),
  adam_amsgrad = list(make = function(p) optim_adam(p, lr = 0.01, amsgrad = TRUE, weight_decay = 0.1)),
  adamw = list(make = function(p) optim_adamw(p, lr = 0.01)),
  adamax = list(make = function(p) optim_adamax(p, lr = 0.01)),
  nadam = list(make = function(p) optim_nadam(p, lr = 0.01)),
  radam = list(make = function(p) optim_radam(p, lr = 0.01)),
  adagrad = list(make = function(p) optim_adagrad(p, lr = 0.05, lr_decay = 0.1)),
  adadelta = list(make = function(p) optim_adadelta(p)),
  rmsprop = list(make = function(p) optim_rmsprop(p, lr = 0.01, centered = TRUE, momentum = 0.5)),
  adafactor = list(make = function(p) optim_adafactor(p, lr = 0.05)),
  asgd = list(make = function(p) optim_asgd(p, lr = 0.05, t0 = 3)),
  # Its steps go by signs: gradients that are zero but for rounding, as before batch norm, would make them random.
  rprop = list(make = function(p) optim_rprop(p), model = train_matrices),
  muon = list(make = function(p) optim_muon(p, lr = 0.02), model = train_matrices),
  ignite_adam = list(make = function(p) optim_ignite_adam(p, lr = 0.01)),
  groups = list(make = function(p) {
    optim_adam(list(list(params = p[1:2], lr = 0.02), list(params = p[3:length(p)], betas = c(0.8, 0.99))))
  }),
  lbfgs = list(make = function(p) optim_lbfgs(p, max_iter = 3), by_r = TRUE)
)

# The same by compiled steps; gives the step.
loop_compiled <- function(model, batches, loss, optimizer, after) {
  step <- jit_train_step(model, loss, optimizer)
  for (batch in batches) {
    step(batch[[1]], batch[[2]])
    after()
  }
  step
}

# The loop that users write.
loop_in_r <- function(model, batches, loss, optimizer, clip_norm = NULL, after = NULL) {
  losses <- c()
  for (batch in batches) {
    value <- NULL
    closure <- function() {
      optimizer$zero_grad()
      value <<- loss(model(batch[[1]]), batch[[2]])
      value$backward()
      if (!is.null(clip_norm)) nn_utils_clip_grad_norm_(model$parameters, clip_norm)
      value
    }
    if (inherits(optimizer, "optim_lbfgs")) {
      losses <- c(losses, as.numeric(optimizer$step(closure)))
    } else {
      closure()
      optimizer$step()
      losses <- c(losses, value$item())
    }
    if (!is.null(after)) after()
  }
  losses
}

# All that training changes, as numbers.
train_outcome <- function(model, optimizer) {
  flat <- function(x) if (is_torch_tensor(x)) as.numeric(x$detach()$to(dtype = torch_double())) else if (is.list(x)) lapply(x, flat) else x
  list(
    state = flat(model$state_dict()), optimizer = flat(optimizer$state_dict()),
    gradients = flat(lapply(model$parameters, function(p) p$grad)), random = as.integer(torch_get_rng_state())
  )
}

slices <- function(data, size) {
  n <- data[[1]]$shape[1]
  lapply(seq(1, n, by = size), function(i) lapply(data, function(x) x$narrow(1, i, min(size, n - i + 1))$clone()))
}
