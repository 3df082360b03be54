average_of_steps <- function(..., steps = 5) {
  model <- nn_sequential(nn_linear(2, 3), nn_batch_norm1d(3), nn_linear(3, 1))
  with_no_grad(for (p in model$parameters) p$copy_(torch_linspace(-1, 1, p$numel())$view_as(p)))
  average <- nn_averaged_model(model, ...)
  opt <- optim_sgd(model$parameters, lr = 0.1)
  x <- torch_tensor(matrix(c(1, -2, 0.5, 3, 2, 0.1, -1, 4), 4))
  for (i in seq_len(steps)) {
    opt$zero_grad()
    (model(x * i) - 1)$pow(2)$mean()$backward()
    opt$step()
    average$update_parameters(model)
  }
  list(average = average, model = model, x = x)
}

test_that("averages are PyTorch's, with its state dict", {
  skip_if_no_torch()
  cases <- list(
    "AveragedModel(m)" = list(),
    "AveragedModel(m, multi_avg_fn=get_ema_multi_avg_fn(0.8))" = list(decay = 0.8),
    "AveragedModel(m, avg_fn=lambda a, p, n: torch.maximum(a, p))" = list(
      avg_fn = function(average, param, n) torch_maximum(average, param)
    ),
    "AveragedModel(m, multi_avg_fn=get_ema_multi_avg_fn(0.8), use_buffers=True)" = list(decay = 0.8, use_buffers = TRUE)
  )
  expected <- python_eval("
from torch.optim.swa_utils import *
def run(case):
  m = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3), torch.nn.Linear(3, 1))
  with torch.no_grad():
    for p in m.parameters(): p.copy_(torch.linspace(-1, 1, p.numel()).view_as(p))
  average = eval(case, dict(globals(), m=m))
  opt = torch.optim.SGD(m.parameters(), lr=0.1)
  x = torch.tensor([[1, 2], [-2, 0.1], [0.5, -1], [3, 4]])
  for i in range(1, 6):
    opt.zero_grad()
    (m(x * i) - 1).pow(2).mean().backward()
    opt.step()
    average.update_parameters(m)
  state = {k: v.flatten().tolist() for k, v in average.state_dict().items()}
  update_bn([[x], [x * 2]], average)
  return {'state': state, 'bn': average.module[1].running_var.tolist(), 'momentum': average.module[1].momentum}
result = {case: run(case) for case in cases}
", cases = as.list(names(cases)))
  for (case in names(cases)) {
    ours <- do.call(average_of_steps, cases[[case]])
    # Modules of a sequence count from 0 in Python and have these names here too.
    state <- lapply(ours$average$state_dict(), function(x) as_array(x$to(dtype = torch_double())$flatten()))
    theirs <- lapply(expected[[case]]$state, as.numeric)
    expect_setequal(names(state), names(theirs))
    expect_equal(lapply(state[names(theirs)], as.numeric), theirs, tolerance = 1e-5, info = case)
    batches <- list(list(ours$x), list(ours$x * 2))
    nn_utils_update_bn(batches, ours$average)
    norm <- ours$average$module[[2]]
    expect_equal(as.numeric(as_array(norm$running_var)), expected[[case]]$bn, tolerance = 1e-5, info = case)
    expect_equal(norm$momentum, 0.1)
    expect_true(ours$average$training)
  }
})

test_that("an average computes as a model does, and is saved and loaded as one", {
  skip_if_no_torch()
  ours <- average_of_steps(decay = 0.5)
  ours$average$eval()
  expect_equal(ours$average(ours$x), ours$average$module(ours$x))
  other <- nn_averaged_model(ours$model)
  other$load_state_dict(ours$average$state_dict())
  other$eval()
  expect_equal(as_array(other(ours$x)), as_array(ours$average(ours$x)))
  expect_equal(other$n_averaged$item(), 5)
})

test_that("one pass over a data loader sets the running statistics", {
  skip_if_no_torch()
  x <- torch_randn(20, 3)
  net <- nn_sequential(nn_batch_norm1d(3))
  net$eval()
  nn_utils_update_bn(dataloader(tensor_dataset(x), batch_size = 10), net)
  expect_equal(as_array(net[[1]]$running_mean), as_array(x$mean(dim = 1)), tolerance = 1e-5)
  expect_false(net$training)
  plain <- nn_linear(3, 1)
  expect_identical(nn_utils_update_bn(list(), plain), plain)
})

test_that("wrong arguments are told", {
  skip_if_no_torch()
  expect_snapshot(error = TRUE, {
    nn_averaged_model(nn_linear(1, 1), decay = 2)
    nn_averaged_model(nn_linear(1, 1), decay = 0.5, avg_fn = mean)
  })
})

test_that("an average takes no other model's parameters", {
  skip_if_no_torch()
  average <- nn_averaged_model(nn_linear(2, 1))
  expect_error(average$update_parameters(nn_linear(3, 1)), "differs in `weight`", class = "value_error")
  expect_error(average$update_parameters(nn_linear(2, 1, bias = FALSE)), "differs in `bias`", class = "value_error")
  expect_error(average$update_parameters(nn_batch_norm1d(2)), "differs in", class = "value_error")
  expect_error(average$update_parameters(1), "`model` must be a module", class = "type_error")
  expect_equal(average$n_averaged$item(), 0)
})
