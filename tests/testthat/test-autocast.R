test_that("operators choose the dtypes that PyTorch chooses in a region", {
  skip_if_no_torch()
  x <- torch_randn(3, 3)
  kinds <- function() {
    vapply(list(
      torch_mm(x, x), torch_matmul(x, x), x + x, torch_relu(x), nnf_linear(x, x), torch_mse_loss(torch_mm(x, x), x),
      torch_cat(list(torch_mm(x, x), x))
    ), function(t) as.character(t$dtype), "")
  }
  theirs <- python_eval("
x = torch.randn(3, 3)
def kinds():
  return [str(t.dtype)[6:] for t in [torch.mm(x, x), torch.matmul(x, x), x + x, torch.relu(x),
    torch.nn.functional.linear(x, x), torch.nn.functional.mse_loss(torch.mm(x, x), x), torch.cat([torch.mm(x, x), x])]]
with torch.autocast('cpu'):
  on = kinds()
  with torch.autocast('cpu', enabled=False):
    off = kinds()
result = {'on': on, 'off': off}")
  names <- c(Float = "float32", BFloat16 = "bfloat16")
  plain <- function(x) ifelse(x %in% names(names), names[x], x)
  expect_equal(unname(plain(with_autocast(kinds(), device_type = "cpu"))), theirs$on)
  expect_equal(unname(plain(with_autocast(with_autocast(kinds(), device_type = "cpu", enabled = FALSE), device_type = "cpu"))), theirs$off)
  expect_equal(unname(plain(kinds())), theirs$off)
})

test_that("regions end with their frame and after errors", {
  skip_if_no_torch()
  x <- torch_ones(2, 2)
  dtype <- function() as.character(torch_mm(x, x)$dtype)
  plain <- dtype()
  inside <- function() {
    local_autocast("cpu")
    dtype()
  }
  expect_false(inside() == plain)
  expect_equal(dtype(), plain)
  expect_error(with_autocast(stop("inside"), device_type = "cpu"), "inside")
  expect_equal(dtype(), plain)
  context <- tryCatch(set_autocast("cpu", dtype = torch_half()), torch_runtime_error = conditionMessage)
  if (is.character(context)) {
    # Older versions of LibTorch have bfloat16 alone here; being told so changes nothing.
    expect_match(context, "Bfloat16")
    expect_equal(dtype(), plain)
    return()
  }
  expect_match(dtype(), "Half|float16")
  unset_autocast(context)
  expect_equal(dtype(), plain)
})

test_that("a trace made in a region keeps its casts, and weights stay parameters", {
  skip_if_no_torch()
  net <- nn_linear(3, 2)
  x <- torch_randn(4, 3)
  expected <- with_autocast(net(x), device_type = "cpu")
  traced <- with_autocast(jit_trace(net, x), device_type = "cpu")
  expect_equal(as_array(traced(x)$float()), as_array(expected$float()), tolerance = 1e-2)
  with_no_grad(net$weight$zero_())
  with_no_grad(net$bias$zero_())
  expect_equal(as.numeric(traced(x)$float()$abs()$sum()), 0)
})

test_that("the scaler leaves steps with infinities out and adapts the scale", {
  skip_if_no_torch()
  w <- nn_parameter(torch_tensor(c(1, 2)))
  optimizer <- optim_sgd(list(w), lr = 0.1)
  scaler <- cuda_amp_grad_scaler(init_scale = 8, growth_interval = 2)
  step <- function(factor) {
    optimizer$zero_grad()
    scaler$scale((w * factor)$sum())$backward()
    scaler$step(optimizer)
    scaler$update()
  }
  step(2)
  expect_equal(as.numeric(w), c(0.8, 1.8), tolerance = 1e-6)
  step(2)
  expect_equal(scaler$get_scale(), 16)
  before <- as.numeric(w)
  step(Inf)
  expect_equal(as.numeric(w), before)
  expect_equal(scaler$get_scale(), 8)
  state <- scaler$state_dict()
  other <- cuda_amp_grad_scaler()$load_state_dict(state)
  expect_equal(other$get_scale(), 8)
  expect_error(scaler$update(), "no `$step()`", fixed = TRUE, class = "runtime_error")
  off <- cuda_amp_grad_scaler(enabled = FALSE)
  expect_identical(off$scale(w), w)
})

test_that("wrong regions are refused", {
  skip_if_no_torch()
  expect_snapshot(error = TRUE, {
    with_autocast(1, device_type = "tpu")
    set_autocast("cpu", enabled = NA)
    unset_autocast(3)
    cuda_amp_grad_scaler(growth_factor = 0.5)
  })
})
