test_that("a momentum that is set later begins with the gradient", {
  skip_if_no_torch()
  x <- torch_tensor(1, requires_grad = TRUE)
  opt <- optim_sgd(x, lr = 0.1)
  step <- function() {
    opt$zero_grad()
    (3 * x)$backward()
    opt$step()
    x$item()
  }
  step()
  expect_length(opt$state_dict()$state, 0)
  opt$param_groups[[1]]$momentum <- 0.5
  expect_equal(step(), 1 - 0.6, tolerance = 1e-6)
  expect_equal(step(), 1 - 0.6 - 0.45, tolerance = 1e-6)
  expect_equal(opt$state_dict()$state[["1"]]$momentum_buffer$item(), 4.5)
})

test_that("Muon steps matrices of several shapes as PyTorch", {
  skip_if_older("2.9")
  shapes <- list(c(4, 3), c(3, 4), c(4, 3), c(20, 30), c(30, 20), c(3, 4), c(20, 30))
  expected <- python_eval("
params = [torch.linspace(-1, 1, n * m).reshape(n, m).requires_grad_() for n, m in shapes]
opt = torch.optim.Muon(params, lr=0.1)
for i in range(1, 21):
  opt.zero_grad()
  sum(((p - i / 7).abs() ** 1.5).sum() for p in params).backward()
  opt.step()
result = [p.flatten().tolist() for p in params]
", shapes = shapes)
  params <- lapply(shapes, function(n) {
    torch_linspace(-1, 1, prod(n))$reshape(as.integer(n))$requires_grad_(TRUE)
  })
  opt <- optim_muon(params, lr = 0.1)
  for (i in 1:20) {
    opt$zero_grad()
    for (p in params) ((p - i / 7)$abs()^1.5)$sum()$backward()
    opt$step()
  }
  # Six digits of a step that is computed with three are two steps that are the same to the last bit.
  for (i in seq_along(shapes)) {
    ours <- as_array(params[[i]]$detach()$flatten())
    expect_equal(ours, expected[[i]], tolerance = 1e-6, info = toString(shapes[[i]]))
  }
})

test_that("Muon is for matrices", {
  skip_if_no_torch()
  expect_snapshot(error = TRUE, {
    optim_muon(torch_ones(2, requires_grad = TRUE))
    optim_muon(torch_ones(2, 3, requires_grad = TRUE), adjust_lr_fn = "rms")
  })
})
