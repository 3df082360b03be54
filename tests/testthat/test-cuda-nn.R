conv_net <- nn_module(
  "conv_net",
  initialize = function() {
    self$conv <- nn_conv2d(1, 4, 3, padding = 1)
    self$norm <- nn_batch_norm2d(4)
    self$pool <- nn_max_pool2d(2)
    self$drop <- nn_dropout(0.1)
    self$out <- nn_linear(64, 2)
    self$weights <- nn_buffer(torch_ones(1))
  },
  forward = function(x) {
    x <- self$pool(nnf_relu(self$norm(self$conv(x))))
    self$out(self$drop(torch_flatten(x, start_dim = 2))) * self$weights
  }
)

# Pictures with a bright left or right half.
pictures <- function(n) {
  side <- rep_len(1:2, n)
  x <- torch_randn(n, 1, 8, 8) * 0.3
  for (i in seq_len(n)) x[i, 1, , if (side[i] == 1) 1:4 else 5:8] <- 1
  list(x = x, y = torch_tensor(side))
}

test_that("a small network learns on the device, and its weights go back", {
  skip_if_no_cuda()
  torch_manual_seed(1)
  net <- conv_net()
  expect_identical(net$to(device = "cuda"), net)
  expect_true(all(vapply(c(net$parameters, net$buffers), function(p) p$is_cuda, NA)))
  data <- pictures(64)
  loader <- dataloader(tensor_dataset(x = data$x, y = data$y), batch_size = 16, shuffle = TRUE, pin_memory = TRUE)
  optimizer <- optim_adam(net$parameters, lr = 0.01)
  losses <- c()
  for (epoch in 1:5) loop(for (b in loader) {
    optimizer$zero_grad()
    loss <- nnf_cross_entropy(net(b$x$to(device = "cuda", non_blocking = TRUE)), b$y$cuda())
    loss$backward()
    optimizer$step()
    losses <- c(losses, loss$item())
  })
  expect_lt(mean(utils::tail(losses, 4)), 0.2 * losses[1])
  net$eval()
  guess <- torch_argmax(net(data$x$cuda()), dim = 2)
  expect_gt(mean(as.integer(guess) == as.integer(data$y)), 0.95)
  state <- net$state_dict()
  expect_true(all(vapply(state, function(x) x$is_cuda, NA)))
  back <- conv_net()
  back$load_state_dict(state)
  back$eval()
  expect_false(back$conv$weight$is_cuda)
  expect_equal(as_array(back(data$x)), as_array(net(data$x$cuda())), tolerance = 1e-2)
  net$cpu()
  expect_false(net$norm$running_mean$is_cuda)
  expect_equal(as_array(net(data$x)), as_array(back(data$x)), tolerance = 1e-6)
  expect_true(net$cuda()$out$weight$is_cuda)
  expect_identical(as.character(net$to(device = "cuda", dtype = torch_double())$out$weight$dtype), "Double")
})

test_that("optimisers step on the device as on the CPU", {
  skip_if_no_cuda()
  makers <- list(
    function(p) optim_sgd(p, lr = 0.1), function(p) optim_sgd(p, lr = 0.1, momentum = 0.9, nesterov = TRUE, weight_decay = 0.01),
    function(p) optim_adam(p, lr = 0.1), function(p) optim_adam(p, lr = 0.1, amsgrad = TRUE, weight_decay = 0.1),
    function(p) optim_adamw(p, lr = 0.1)
  )
  run <- function(device, make, dtype) {
    w <- torch_tensor(matrix(c(0.5, -1, 2, 0.3, -0.7, 1.1), 2), dtype = dtype, device = device, requires_grad = TRUE)
    b <- torch_tensor(c(0.1, -0.2), dtype = dtype, device = device, requires_grad = TRUE)
    x <- torch_tensor(matrix(c(1, 2, -1, 0.5, 3, 1), 2), dtype = dtype, device = device)
    optimizer <- make(list(w, b))
    step <- function(i) {
      optimizer$zero_grad()
      ((nnf_linear(x, w, b) - i)^2)$sum()$backward()
      optimizer$step()
      c(as_array(w$detach()$cpu()), as_array(b$detach()$cpu()))
    }
    first <- lapply(1:3, step)
    state <- optimizer$state_dict()
    optimizer <- make(list(w, b))
    optimizer$load_state_dict(state)
    c(first, lapply(4:5, step))
  }
  for (make in makers) for (dtype in list(torch_float(), torch_double())) {
    expect_equal(run("cuda", make, dtype), run("cpu", make, dtype), tolerance = 1e-4)
  }
})

test_that("every rule steps on the device as on the CPU", {
  skip_if_no_cuda()
  # Muon computes in bfloat16, and L-BFGS goes where rounding leads it.
  for (case in grep("^(Muon|LBFGS)", names(optim_cases), value = TRUE, invert = TRUE)) {
    sign <- if (grepl("maximize=True", case)) -1 else 1
    there <- run_steps(optim_cases[[case]], sign = sign, device = "cuda")
    expect_equal(there$path, run_steps(optim_cases[[case]], sign = sign)$path, tolerance = 1e-5, info = case)
  }
})

test_that("layers compute on the device what they compute on the CPU", {
  skip_if_no_cuda()
  image <- torch_randn(2, 3, 8, 8)
  row <- torch_randn(4, 6)
  layers <- list(
    list(nn_linear(6, 3), row), list(nn_conv2d(3, 4, 3), image), list(nn_conv1d(6, 2, 1), row$t()$unsqueeze(1)),
    list(nn_batch_norm1d(6), row), list(nn_batch_norm2d(3), image), list(nn_layer_norm(6), row), list(nn_group_norm(3, 3), image),
    list(nn_max_pool2d(2), image), list(nn_avg_pool2d(2), image), list(nn_adaptive_avg_pool2d(2), image),
    list(nn_embedding(5, 3), torch_tensor(c(1L, 5L))), list(nn_prelu(), row), list(nn_gelu(), row), list(nn_silu(), row),
    list(nn_softmax(2), row), list(nn_sequential(nn_linear(6, 4), nn_relu(), nn_linear(4, 1)), row), list(nn_flatten(), image)
  )
  for (layer in layers) {
    net <- layer[[1]]
    x <- layer[[2]]
    expected <- net(x)
    there <- clone_module(net)
    there$cuda()
    got <- there(x$cuda())
    expect_true(got$is_cuda)
    expect_equal(as_array(got$detach()$cpu()), as_array(expected$detach()), tolerance = 5e-3, info = class(net)[1])
  }
  labels <- torch_tensor(c(1L, 3L, 2L, 6L))
  losses <- list(
    list(nn_cross_entropy_loss(), row, labels), list(nn_mse_loss(), row, row * 2), list(nn_bce_with_logits_loss(), row, (row > 0)$float()),
    list(nn_nll_loss(), nnf_log_softmax(row, 2), labels), list(nn_smooth_l1_loss(), row, row * 3), list(nn_kl_div_loss(), row, row$abs())
  )
  for (loss in losses) {
    expect_equal(loss[[1]](loss[[2]]$cuda(), loss[[3]]$cuda())$item(), loss[[1]](loss[[2]], loss[[3]])$item(), tolerance = 1e-5)
  }
})

test_that("regions of mixed precision cast as PyTorch's", {
  skip_if_no_cuda()
  x <- torch_randn(8, 8, device = "cuda")
  kinds <- function() {
    vapply(list(
      torch_mm(x, x), x + x, torch_relu(x), nnf_linear(x, x), torch_mse_loss(torch_mm(x, x), x), torch_exp(torch_mm(x, x)),
      nnf_softmax(torch_mm(x, x), 1), torch_sum(torch_mm(x, x)), nnf_conv2d(x$view(c(1, 1, 8, 8)), x$view(c(1, 1, 8, 8)))
    ), function(t) as.character(t$dtype), "")
  }
  theirs <- python_eval("
x = torch.randn(8, 8, device='cuda')
F = torch.nn.functional
def kinds():
  m = lambda: torch.mm(x, x)
  return [str(t.dtype)[6:] for t in [m(), x + x, torch.relu(x), F.linear(x, x), F.mse_loss(m(), x), torch.exp(m()),
    F.softmax(m(), 0), torch.sum(m()), F.conv2d(x.view(1, 1, 8, 8), x.view(1, 1, 8, 8))]]
with torch.autocast('cuda'):
  half = kinds()
with torch.autocast('cuda', dtype=torch.bfloat16):
  brain = kinds()
result = dict(half=half, brain=brain, off=kinds())")
  names <- c(Float = "float32", BFloat16 = "bfloat16", Half = "float16")
  plain <- function(x) unname(ifelse(x %in% names(names), names[x], x))
  expect_equal(plain(with_autocast(kinds(), device_type = "cuda")), theirs$half)
  expect_equal(plain(with_autocast(kinds(), device_type = "cuda", dtype = torch_bfloat16())), theirs$brain)
  expect_equal(plain(kinds()), theirs$off)
})

test_that("training in mixed precision with scaled gradients", {
  skip_if_no_cuda()
  torch_manual_seed(2)
  net <- conv_net()$cuda()
  data <- lapply(pictures(32), function(x) x$cuda())
  optimizer <- optim_sgd(net$parameters, lr = 0.1)
  scaler <- cuda_amp_grad_scaler(init_scale = 2^10, growth_interval = 5)
  losses <- c()
  for (i in 1:20) {
    optimizer$zero_grad()
    loss <- with_autocast(nnf_cross_entropy(net(data$x), data$y), device_type = "cuda")
    scaler$scale(loss)$backward()
    scaler$step(optimizer)
    scaler$update()
    losses <- c(losses, loss$item())
  }
  expect_identical(as.character(net$conv$weight$dtype), "Float")
  expect_lt(losses[20], 0.5 * losses[1])
  expect_gt(scaler$get_scale(), 2^10)
  # A step whose gradients are not finite is left out.
  before <- as_array(net$out$weight$detach()$cpu())
  optimizer$zero_grad()
  scaler$scale(net(data$x)$sum() * Inf)$backward()
  scale <- scaler$get_scale()
  scaler$step(optimizer)
  scaler$update()
  expect_equal(as_array(net$out$weight$detach()$cpu()), before)
  expect_equal(scaler$get_scale(), scale / 2)
})
