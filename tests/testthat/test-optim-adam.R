test_that("a hyperparameter may be a tensor of one element", {
  skip_if_no_torch()
  x <- torch_ones(1, requires_grad = TRUE)
  opt <- optim_adam(list(list(params = x, eps = torch_tensor(1e-3, dtype = torch_double()))), lr = torch_tensor(0.5))
  expect_identical(opt$param_groups[[1]][c("lr", "eps")], list(lr = 0.5, eps = 1e-3))
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

# The weight of an embedding of six words, of which each step uses three, one of them twice.
sparse_steps <- function(make, steps = 20) {
  words <- nn_embedding(6, 2, sparse = TRUE)$to(dtype = torch_double())
  with_no_grad(words$weight$copy_(torch_tensor(matrix(1:12 / 10, 6), dtype = torch_double())))
  opt <- make(words$parameters)
  for (i in seq_len(steps)) {
    opt$zero_grad()
    (words(torch_tensor((c(i, i + 1, i + 3, i) %% 6) + 1, dtype = torch_long()))^2)$sum()$backward()
    opt$step()
  }
  list(as_array(words$weight$detach()), opt$state_dict()$state[["1"]])
}

test_that("sparse gradients step as in PyTorch", {
  skip_if_no_torch()
  cases <- list(
    "SparseAdam(p, lr=0.1)" = function(p) optim_sparse_adam(p, lr = 0.1),
    "SparseAdam(p, lr=0.01, betas=(0.8, 0.9), eps=1e-3, maximize=True)" = function(p) {
      optim_sparse_adam(p, lr = 0.01, betas = c(0.8, 0.9), eps = 1e-3, maximize = TRUE)
    },
    "SGD(p, lr=0.1, momentum=0.5)" = function(p) optim_sgd(p, lr = 0.1, momentum = 0.5),
    "SGD(p, lr=0.001, momentum=0.5, nesterov=True, maximize=True)" = function(p) {
      optim_sgd(p, lr = 0.001, momentum = 0.5, nesterov = TRUE, maximize = TRUE)
    },
    "Adagrad(p, lr=0.1, lr_decay=0.1)" = function(p) optim_adagrad(p, lr = 0.1, lr_decay = 0.1)
  )
  expected <- python_eval("
import warnings
warnings.simplefilter('ignore')
torch.set_default_dtype(torch.float64)
def run(case):
  words = torch.nn.Embedding(6, 2, sparse=True)
  with torch.no_grad(): words.weight.copy_(torch.arange(1, 13).reshape(2, 6).T / 10)
  p = words.parameters()
  opt = eval('torch.optim.' + case)
  for i in range(1, 21):
    opt.zero_grad()
    (words(torch.tensor([i, i + 1, i + 3, i]) % 6) ** 2).sum().backward()
    opt.step()
  return words.weight.tolist()
result = [run(case) for case in cases]
", cases = as.list(names(cases)))
  for (i in seq_along(cases)) {
    expect_equal(sparse_steps(cases[[i]])[[1]], expected[i, , ], tolerance = 1e-6, info = names(cases)[i])
  }
  expect_identical(sparse_steps(cases[[1]])[[2]]$step, 20L)
})

test_that("gradients that a rule can't use are told", {
  skip_if_no_torch()
  expect_snapshot(error = TRUE, {
    sparse_steps(optim_adam, 1)
    sparse_steps(function(p) optim_sgd(p, lr = 1, weight_decay = 1), 1)
    opt <- optim_sparse_adam(torch_ones(2, requires_grad = TRUE))
    opt$param_groups[[1]]$params[[1]]$sum()$backward()
    opt$step()
  })
})

test_that("complex parameters step as in PyTorch", {
  skip_if_no_torch()
  cases <- c("Adam" = optim_adam, "RMSprop" = optim_rmsprop, "Rprop" = optim_rprop)
  expected <- python_eval("
def run(case):
  x = torch.tensor([1 + 2j, -0.5j], dtype=torch.complex128, requires_grad=True)
  opt = getattr(torch.optim, case)([x])
  for i in range(10):
    opt.zero_grad()
    (x - 1j).abs().square().sum().backward()
    opt.step()
  return torch.view_as_real(x).tolist()
result = [run(case) for case in cases]
", cases = as.list(names(cases)))
  for (i in seq_along(cases)) {
    x <- torch_tensor(c(1 + 2i, -0.5i), dtype = torch_cdouble(), requires_grad = TRUE)
    opt <- cases[[i]](x)
    for (step in 1:10) {
      opt$zero_grad()
      (x - 1i)$abs()$square()$sum()$backward()
      opt$step()
    }
    expect_equal(as_array(torch_view_as_real(x$detach())), expected[i, , ], tolerance = 1e-6)
    name <- c("exp_avg_sq", "square_avg", "prev")[[i]]
    expect_true(opt$state_dict()$state[["1"]][[name]]$is_complex())
  }
})

test_that("the decay of AdamW comes with a state dict of PyTorch's Adam", {
  skip_if_no_torch()
  run <- function(make, decoupled = NULL) {
    x <- torch_tensor(2, dtype = torch_double(), requires_grad = TRUE)
    opt <- make(x, lr = 0.1, weight_decay = 0.5)
    dict <- opt$state_dict()
    dict$param_groups[[1]]$decoupled_weight_decay <- decoupled
    opt$load_state_dict(dict)
    for (i in 1:3) {
      opt$zero_grad()
      (x * x)$backward()
      opt$step()
    }
    x$item()
  }
  for (path in list(identity, function(code) without_fused(code))) {
    expect_equal(path(run(optim_adam, TRUE)), path(run(optim_adamw)), tolerance = 1e-6)
    expect_false(isTRUE(all.equal(path(run(optim_adam, FALSE)), path(run(optim_adamw)), tolerance = 1e-3)))
  }
})
