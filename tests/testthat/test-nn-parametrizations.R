flat <- function(x) as.numeric(as_array(x$detach()$to(dtype = torch_double())$flatten()))
fill <- function(module, name = "weight") {
  x <- module[[name]]
  with_no_grad(x$copy_(torch_sin(torch_arange(1, x$numel(), dtype = torch_double()))$view_as(x)))
}

# What is compared with PyTorch: state dict names, the weight, the output of two calls in training mode and one in evaluation,
# and the gradients of the parameters. `state` of PyTorch's is loaded before: some of it is drawn.
test_that("ready parametrisations are PyTorch's: values, gradients, names, and traces, copies and files of them", {
  skip_if_no_torch()
  skip_if_older("2.0")
  cases <- list(
    list("weight_norm(linear())", "q.weight_norm(linear())"),
    list("weight_norm(linear(), dim = 2)", "q.weight_norm(linear(), dim=1)"),
    list("spectral_norm(linear(), n_power_iterations = 2)", "q.spectral_norm(linear(), n_power_iterations=2)"),
    list("spectral_norm(conv())", "q.spectral_norm(conv())"),
    list("spectral_norm(conv(), dim = 1)", "q.spectral_norm(conv(), dim=0)"),
    list("spectral_norm(linear(), 'bias')", "q.spectral_norm(linear(), 'bias')"),
    list("orthogonal(linear())", "q.orthogonal(linear())"),
    list("orthogonal(linear(5, 3))", "q.orthogonal(linear(5, 3))"),
    list("orthogonal(linear(3, 5), orthogonal_map = 'cayley')", "q.orthogonal(linear(3, 5), orthogonal_map='cayley')"),
    list("orthogonal(linear(4, 4), orthogonal_map = 'householder')", "q.orthogonal(linear(4, 4), orthogonal_map='householder')"),
    list("orthogonal(linear(3, 5), use_trivialization = FALSE)", "q.orthogonal(linear(3, 5), use_trivialization=False)"),
    list("orthogonal(linear(4, 4), 'weight', 'matrix_exp', FALSE)", "q.orthogonal(linear(4, 4), 'weight', 'matrix_exp', use_trivialization=False)"),
    list("old_spectral_norm(linear(), n_power_iterations = 2)", "u.spectral_norm(linear(), n_power_iterations=2)"),
    list("old_spectral_norm(conv())", "u.spectral_norm(conv())")
  )
  inputs <- function(code) if (grepl("conv", code)) c(1, 2, 5) else if (grepl("3, 5", code)) c(2, 3) else if (grepl("4, 4", code)) c(2, 4) else c(2, 5)
  theirs <- python_eval("
import warnings; warnings.simplefilter('ignore')
import torch.nn.utils.parametrizations as q, torch.nn.utils as u
from torch import nn
def fill(m):
  with torch.no_grad(): m.weight.copy_(torch.sin(torch.arange(1, m.weight.numel() + 1, dtype=torch.double)).view_as(m.weight)); m.bias.fill_(0.5)
  return m
def linear(i=5, o=3): return fill(nn.Linear(i, o).double())
def conv(): return fill(nn.ConvTranspose1d(2, 3, 2).double())
result = []
for code, shape in zip(codes, shapes):
  m = eval(code)
  state = {k: [list(v.shape), v.flatten().tolist()] for k, v in m.state_dict().items()}
  n = 1
  for s in shape: n *= s
  x = torch.cos(torch.arange(1, n + 1, dtype=torch.double)).view(*shape)
  outs = [m(x), m(x), m.eval()(x)]
  sum(o.pow(2).sum() for o in outs).backward()
  result.append(dict(names=list(state), state=[[k] + v for k, v in state.items()], outs=[o.flatten().tolist() for o in outs],
    weight=[m.weight.flatten().tolist()], grads={k: p.grad.flatten().tolist() for k, p in m.named_parameters()}))
with open(path, 'w') as f: json.dump(result, f)
result = 1
", codes = vapply(cases, `[[`, "", 2), shapes = lapply(cases, function(case) inputs(case[[1]])), path = file <- withr::local_tempfile())
  theirs <- jsonlite::read_json(file)
  here <- list2env(list(
    linear = function(i = 5, o = 3) {
      m <- nn_linear(i, o)$double()
      fill(m)
      with_no_grad(m$bias$fill_(0.5))
      m
    },
    conv = function() {
      m <- nn_conv_transpose1d(2, 3, 2)$double()
      fill(m)
      with_no_grad(m$bias$fill_(0.5))
      m
    },
    weight_norm = nn_utils_parametrizations_weight_norm, spectral_norm = nn_utils_parametrizations_spectral_norm,
    orthogonal = nn_utils_parametrizations_orthogonal, old_spectral_norm = nn_utils_spectral_norm
  ), parent = environment())
  for (i in seq_along(cases)) {
    label <- cases[[i]][[1]]
    model <- eval(parse(text = label), here)
    expect_setequal(names(model$state_dict()), unlist(theirs[[i]]$names))
    state <- lapply(theirs[[i]]$state, function(entry) torch_tensor(unlist(entry[[3]]), dtype = torch_double())$view(unlist(entry[[2]])))
    names(state) <- vapply(theirs[[i]]$state, `[[`, "", 1)
    model$load_state_dict(state)
    # A copy and a file's have what the original has, before it goes on.
    copy <- model$clone(deep = TRUE)
    path <- withr::local_tempfile()
    torch_save(model, path)
    x <- torch_cos(torch_arange(1, prod(inputs(label)), dtype = torch_double()))$view(inputs(label))
    for (m in list(model, copy, torch_load(path))) {
      outs <- list(m(x), m(x), m$eval()(x))
      expect_equal(lapply(outs, flat), lapply(theirs[[i]]$outs, unlist), tolerance = 1e-7, label = label)
      expect_equal(flat(m$weight), unlist(theirs[[i]]$weight), tolerance = 1e-7, label = label)
      (outs[[1]]^2 + outs[[2]]^2 + outs[[3]]^2)$sum()$backward()
      for (name in names(m$parameters)) {
        expect_equal(flat(m$parameters[[name]]$grad), unlist(theirs[[i]]$grads[[name]]), tolerance = 1e-6, label = paste(label, name))
      }
    }
    traced <- jit_trace(model, x)
    expect_equal(flat(traced(x * 2)), flat(model(x * 2)), label = label)
    expect_setequal(names(traced$state_dict()), names(model$state_dict()))
  }
})

symmetric <- nn_module("symmetric", forward = function(x) x$triu() + x$triu(1)$t())
positive <- nn_module("positive", forward = function(x) torch_exp(x), right_inverse = function(value) torch_log(value))

test_that("users' parametrisations begin with the value, take values, add up, and are taken away", {
  skip_if_no_torch()
  layer <- nn_linear(3, 3)
  with_no_grad(layer$weight$abs_())
  weight <- layer$weight
  before <- flat(weight)
  expect_false(nn_utils_parametrize_is_parametrized(layer))
  expect_invisible(nn_utils_parametrize_register_parametrization(layer, "weight", positive()))
  expect_true(nn_utils_parametrize_is_parametrized(layer))
  expect_true(nn_utils_parametrize_is_parametrized(layer, "weight"))
  expect_false(nn_utils_parametrize_is_parametrized(layer, "bias"))
  expect_equal(flat(layer$weight), before, tolerance = 1e-6)
  # An optimiser that knows the parameter goes on with the original.
  expect_identical(tensor_address(weight), tensor_address(layer$parametrizations$weight$original))
  expect_named(layer$state_dict(), c("bias", "parametrizations.weight.original"))
  layer$weight <- torch_full(c(3, 3), 2)
  expect_equal(flat(layer$parametrizations$weight$original), rep(log(2), 9), tolerance = 1e-6)
  expect_equal(flat(layer$weight), rep(2, 9), tolerance = 1e-6)

  nn_utils_parametrize_register_parametrization(layer, "weight", symmetric())
  with_no_grad(layer$parametrizations$weight$original$copy_(torch_randn(3, 3)))
  expect_true(as.logical(torch_equal(layer$weight, layer$weight$t())))
  expect_named(layer$modules[[1]]$parametrizations$weight$children, c("0", "1"))
  expect_error(layer$weight <- torch_ones(3, 3), "symmetric\\(\\) has no method `right_inverse`", class = "value_error")

  now <- flat(layer$weight)
  nn_utils_parametrize_remove_parametrizations(layer, "weight")
  expect_equal(flat(layer$weight), now)
  expect_true(is_nn_parameter(layer$weight))
  expect_named(layer$state_dict(), c("bias", "weight"))
  expect_length(layer$children, 0)
  expect_identical(tensor_address(weight), tensor_address(layer$weight))

  nn_utils_parametrize_register_parametrization(layer, "weight", symmetric())
  original <- flat(layer$parametrizations$weight$original)
  nn_utils_parametrize_remove_parametrizations(layer, "weight", leave_parametrized = FALSE)
  expect_equal(flat(layer$weight), original)

  norm <- nn_batch_norm1d(2)
  nn_utils_parametrize_register_parametrization(norm, "running_var", positive())
  expect_equal(flat(norm$running_var), c(1, 1))
  expect_true("parametrizations.running_var.original" %in% names(norm$buffers))
  nn_utils_parametrize_remove_parametrizations(norm, "running_var")
  expect_true(is_nn_buffer(norm$running_var))

  two <- nn_utils_parametrizations_weight_norm(nn_linear(3, 2))
  value <- flat(two$weight)
  expect_error(nn_utils_parametrize_remove_parametrizations(two, "weight", FALSE), "computed of several ones", class = "value_error")
  nn_utils_parametrize_remove_parametrizations(two, "weight")
  expect_equal(flat(two$weight), value)
  expect_true(two$weight$requires_grad)
})

test_that("a cache computes each tensor once, and parametrisations go to another module", {
  skip_if_no_torch()
  count <- 0
  counting <- nn_module("counting", forward = function(x) {
    count <<- count + 1
    x
  })
  layer <- nn_linear(2, 2)
  nn_utils_parametrize_register_parametrization(layer, "weight", counting())
  count <- 0
  out <- nn_utils_parametrize_cached({
    layer(torch_ones(2))
    layer(torch_ones(2))
  })
  expect_identical(count, 1)
  layer(torch_ones(2))
  expect_identical(count, 2)
  expect_equal(out$shape, 2)

  from <- nn_utils_parametrizations_weight_norm(nn_linear(2, 3))
  to <- nn_linear(2, 3)
  nn_utils_parametrize_transfer_parametrizations_and_params(from, to)
  expect_named(to$state_dict(), names(from$state_dict()))
  expect_equal(flat(to$weight), flat(from$weight), tolerance = 1e-6)
  with_no_grad(from$parametrizations$weight$original0$mul_(2))
  expect_equal(2 * flat(to$weight), flat(from$weight), tolerance = 1e-6)
})

test_that("older spectral and weight norms are taken away", {
  skip_if_no_torch()
  layer <- nn_utils_spectral_norm(nn_linear(3, 2))
  layer(torch_ones(3))
  value <- flat(layer$weight)
  u <- flat(layer$weight_u)
  layer$weight
  # Looking does not go on with the estimate; a copy's hook is its own.
  expect_identical(flat(layer$weight_u), u)
  copy <- layer$clone(deep = TRUE)
  nn_utils_remove_spectral_norm(copy)
  expect_named(copy$state_dict(), c("bias", "weight"), ignore.order = TRUE)
  copy(torch_ones(3))
  layer(torch_ones(3))
  expect_false(identical(flat(layer$weight_u), u))
  expect_equal(flat(copy$weight), value)
  normed <- nn_utils_weight_norm$new()$apply(nn_linear(3, 2))
  nn_utils_remove_weight_norm(normed)
  expect_named(normed$parameters, c("bias", "weight"), ignore.order = TRUE)
})

test_that("mistakes with parametrisations are told, and leave the module as it was", {
  skip_if_no_torch()
  layer <- nn_linear(3, 3)
  before <- flat(layer$weight)
  grow <- nn_module("grow", forward = function(x) torch_cat(list(x, x)), right_inverse = function(x) x * 2)
  expect_snapshot(error = TRUE, {
    nn_utils_parametrize_register_parametrization(layer, "weight", grow())
    nn_utils_parametrize_register_parametrization(layer, "wight", positive())
    nn_utils_parametrize_register_parametrization(layer, "weight", exp)
    nn_utils_parametrize_register_parametrization(nn_linear, "weight", positive())
    nn_utils_parametrize_remove_parametrizations(layer, "weight")
    nn_utils_parametrize_is_parametrized(3)
    nn_utils_parametrizations_orthogonal(layer, "bias")
    nn_utils_parametrizations_orthogonal(layer, orthogonal_map = "qr")
    nn_utils_parametrizations_spectral_norm(layer, dim = 3)
    nn_utils_spectral_norm(layer, n_power_iterations = 0)
    nn_utils_remove_spectral_norm(layer)
  })
  expect_equal(flat(layer$weight), before)
  expect_named(layer$state_dict(), c("weight", "bias"))
  nn_utils_parametrizations_orthogonal(layer, use_trivialization = FALSE)
  expect_snapshot(error = TRUE, layer$weight <- torch_eye(3))
})
