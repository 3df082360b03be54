# A few steps on a fixed problem; the parameters after each step, flat.
problem <- function() {
  list(
    w = torch_tensor(matrix(c(0.5, -1, 2, 0.3, -0.7, 1.1), 2), requires_grad = TRUE),
    b = torch_tensor(c(0.1, -0.2), requires_grad = TRUE)
  )
}

run_steps <- function(make, steps = 4) {
  params <- problem()
  opt <- make(params)
  x <- torch_tensor(matrix(c(1, 2, -1, 0.5, 3, 1), 2))
  lapply(seq_len(steps), function(i) {
    opt$zero_grad()
    ((nnf_linear(x, params$w, params$b) - i)^2)$sum()$backward()
    opt$step()
    unlist(lapply(params, function(p) as_array(p$detach()$flatten())), use.names = FALSE)
  })
}

python_steps <- function(optimizer, steps = 4) {
  python_eval(sprintf("
w = torch.tensor([[0.5, 2, -0.7], [-1, 0.3, 1.1]], requires_grad=True)
b = torch.tensor([0.1, -0.2], requires_grad=True)
x = torch.tensor([[1, -1, 3], [2, 0.5, 1]])
opt = torch.optim.%s
result = []
for i in range(1, %d):
  opt.zero_grad()
  ((torch.nn.functional.linear(x, w, b) - i) ** 2).sum().backward()
  opt.step()
  result.append([v for p in (w, b) for v in p.detach().flatten().tolist()])
", optimizer, steps + 1))
}

without_fused <- function(code) {
  known <- the$fused
  on.exit(the$fused <- known)
  the$fused <- as.list(set_names(
    rep(FALSE, 3), paste(c("adam", "adamw", "sgd"), as.character(torch_float()), "cpu")
  ))
  code
}

cases <- list(
  "Adam([w, b], lr=0.1)" = function(p) optim_adam(p, lr = 0.1),
  "Adam([w, b], lr=0.1, betas=(0.8, 0.9), eps=1e-3, weight_decay=0.1, amsgrad=True)" = function(p) {
    optim_adam(p, lr = 0.1, betas = c(0.8, 0.9), eps = 1e-3, weight_decay = 0.1, amsgrad = TRUE)
  },
  "AdamW([w, b], lr=0.1, weight_decay=0.2)" = function(p) optim_adamw(p, lr = 0.1, weight_decay = 0.2),
  "SGD([w, b], lr=0.01)" = function(p) optim_sgd(p, lr = 0.01),
  "SGD([w, b], lr=0.01, momentum=0.9, dampening=0.1, weight_decay=0.1)" = function(p) {
    optim_sgd(p, lr = 0.01, momentum = 0.9, dampening = 0.1, weight_decay = 0.1)
  },
  "SGD([w, b], lr=0.01, momentum=0.9, nesterov=True)" = function(p) {
    optim_sgd(p, lr = 0.01, momentum = 0.9, nesterov = TRUE)
  },
  "Adam([{'params': [w], 'lr': 0.2}, {'params': [b]}], lr=0.1)" = function(p) {
    optim_adam(list(list(params = p$w, lr = 0.2), list(params = list(p$b))), lr = 0.1)
  }
)

test_that("optimizers step as those of PyTorch", {
  skip_if_no_torch()
  for (case in names(cases)) {
    expected <- python_steps(case)
    expect_equal(do.call(rbind, run_steps(cases[[case]])), expected, tolerance = 1e-5, info = case)
    expect_equal(do.call(rbind, without_fused(run_steps(cases[[case]]))), expected, tolerance = 1e-5, info = case)
  }
})

test_that("the fused operators are used where LibTorch has them for the CPU", {
  skip_if_no_torch()
  skip_if(package_version(libtorch_find()$version) < "2.6")
  for (make in cases[c(1, 3, 4)]) {
    run_steps(make, 1)
  }
  expect_true(all(unlist(the$fused[paste(c("adam", "adamw", "sgd"), "Float cpu")])))
})

test_that("parameters without a gradient are left out, and have no state", {
  skip_if_no_torch()
  for (make in list(function(p) optim_adam(p), function(p) optim_sgd(p, lr = 0.1, momentum = 0.9))) {
    params <- problem()
    opt <- make(params)
    opt$step()
    expect_length(opt$state_dict()$state, 0)
    params$b$sum()$backward()
    w <- as_array(params$w)
    opt$step()
    expect_identical(as_array(params$w), w)
    expect_named(opt$state_dict()$state, "2")
    (params$w$sum() + params$b$sum())$backward()
    opt$step()
    expect_named(opt$state_dict()$state, c("1", "2"))
    opt$zero_grad(set_to_none = TRUE)
    expect_true(is_undefined_tensor(params$w$grad))
    b <- as_array(params$b)
    opt$step()
    expect_identical(as_array(params$b), b)
  }
})

test_that("zero_grad keeps the gradient's tensor by default", {
  skip_if_no_torch()
  params <- problem()
  opt <- optim_sgd(params, lr = 1)
  params$b$sum()$backward()
  opt$zero_grad()
  expect_identical(as_array(params$b$grad), c(0, 0))
})

test_that("the state dict takes training up where it was left", {
  skip_if_no_torch()
  train <- function(opt, params, steps) {
    for (i in steps) {
      opt$zero_grad()
      ((params$w - i)^2)$sum()$backward()
      opt$step()
    }
    as_array(params$w)
  }
  for (make in list(
    function(p) optim_adam(p$w, lr = 0.1, amsgrad = TRUE), function(p) optim_sgd(p$w, lr = 0.01, momentum = 0.9)
  )) {
    whole <- problem()
    expected <- train(make(whole), whole, 1:6)
    params <- problem()
    first <- make(params)
    train(first, params, 1:3)
    state <- first$state_dict()
    expect_identical(state$param_groups[[1]]$params, 1L)
    second <- make(params)
    second$load_state_dict(state)
    expect_equal(train(second, params, 4:6), expected, tolerance = 1e-6)
  }
  expect_error(optim_adam(problem())$load_state_dict(state), class = "value_error")
})

test_that("plain numbers as step counts are taken", {
  skip_if_no_torch()
  params <- problem()
  opt <- optim_adam(params$w)
  params$w$sum()$backward()
  opt$step()
  state <- opt$state_dict()
  state$state[["1"]]$step <- 1
  opt$load_state_dict(state)
  opt$step()
  expect_equal(opt$state_dict()$state[["1"]]$step$item(), 2)
})

test_that("hyperparameters can be changed and groups added", {
  skip_if_no_torch()
  params <- problem()
  opt <- optim_sgd(params$w, lr = 1)
  opt$param_groups[[1]]$lr <- 0
  opt$add_param_group(list(params = params$b, lr = 1))
  (params$w$sum() + params$b$sum())$backward()
  w <- as_array(params$w)
  opt$step()
  expect_identical(as_array(params$w), w)
  expect_equal(as_array(params$b), c(-0.9, -1.2), tolerance = 1e-6)
  expect_error(opt$add_param_group(list(params = params$w)), class = "value_error")
})

test_that("a closure is run with gradients and its loss returned", {
  skip_if_no_torch()
  x <- torch_tensor(2, requires_grad = TRUE)
  opt <- optim_sgd(x, lr = 0.25)
  loss <- with_no_grad(opt$step(function() {
    opt$zero_grad()
    loss <- x^2
    loss$backward()
    loss
  }))
  expect_identical(loss$item(), 4)
  expect_identical(x$item(), 1)
})

test_that("users can write optimizers", {
  skip_if_no_torch()
  descent <- optimizer(
    "optim_descent",
    initialize = function(params, lr = optim_required()) super$initialize(params, list(lr = lr)),
    step = function() {
      with_no_grad({
        for (group in self$param_groups) {
          for (param in group$params) {
            if (is.null(state(param))) state(param) <- list(steps = 0)
            state(param)[["steps"]] <- state(param)$steps + 1
            param$sub_(group$lr * param$grad)
          }
        }
      })
    }
  )
  expect_identical(formals(descent)$lr, quote(optim_required()))
  x <- torch_tensor(1, requires_grad = TRUE)
  opt <- descent(x, lr = 0.5)
  expect_true(is_optimizer(opt))
  expect_s3_class(opt, c("optim_descent", "torch_optimizer", "R6"), exact = TRUE)
  (3 * x)$backward()
  opt$step()
  opt$step()
  expect_equal(x$item(), -2)
  expect_identical(opt$state_dict()$state[["1"]]$steps, 2)
  expect_error(descent(x), class = "value_error")
})

test_that("wrong arguments are told", {
  skip_if_no_torch()
  x <- torch_tensor(1, requires_grad = TRUE)
  for (code in expression(
    optim_sgd(x), optim_sgd(x, lr = -1), optim_sgd(x, lr = 1, nesterov = TRUE), optim_adam(x, betas = c(0.9, 1)),
    optim_adam(x, eps = -1), optim_adam(x, weight_decay = -1), optim_adam(list()), optim_adam(x * 2), optim_adam(1),
    optim_adam(list(list(lr = 1)))
  )) {
    expect_error(eval(code), class = "value_error", info = deparse(code))
  }
  expect_snapshot(error = TRUE, {
    optim_sgd(x)
    optim_sgd(x, lr = -1)
    optim_sgd(x, lr = 1, nesterov = TRUE)
    optim_adam(x, betas = c(0.9, 1))
    optim_adam(list())
    optim_adam(x * 2)
    optim_adam(list(list(lr = 1)))
  })
  expect_snapshot(print(optim_adam))
})
