# Complex numbers in programs, whose derivatives LibTorch's own ones for whole programs get wrong.

gradients_are_those_of_r <- function(program, f, z) {
  right <- as_array(autograd_grad(f(z)$sum(), z)[[1]])
  for (k in 1:4) expect_equal(as_array(autograd_grad(program(z)$sum(), z)[[1]]), right, tolerance = 1e-5, info = deparse(f))
}

test_that("gradients of a complex program are those of the function, at each call", {
  skip_if_no_torch()
  z <- torch_tensor(c(1 + 2i, -0.5 + 1i), requires_grad = TRUE)
  functions <- list(
    function(z) torch_real(torch_log(z) - 1), function(z) torch_real(torch_exp(z) * z), function(z) torch_imag(torch_sin(z) / (z + 1)),
    function(z) torch_abs(torch_tanh(z) - z), function(z) torch_real(torch_sqrt(z)), function(z) torch_real(torch_pow(z, 3)),
    function(z) torch_real(torch_matmul(z$unsqueeze(1), z)), function(z) torch_real(torch_reciprocal(z) - torch_rsub(z, 2))
  )
  for (f in functions) gradients_are_those_of_r(jit_trace(f, z), f, z)
  # Oracle of another kind: the derivative of Re(log z) is the conjugate of 1 / z.
  f <- jit_trace(function(z) torch_real(torch_log(z)), z)
  for (k in 1:3) expect_equal(as.vector(as_array(autograd_grad(f(z)$sum(), z)[[1]])), Conj(1 / c(1 + 2i, -0.5 + 1i)), tolerance = 1e-6)
})

test_that("so are those of a program that makes complex numbers of real ones", {
  skip_if_no_torch()
  x <- torch_tensor(c(1, 2, -3), requires_grad = TRUE)
  functions <- list(
    function(x) torch_real(torch_log(torch_complex(x, x * 2))), function(x) torch_abs(torch_tanh(torch_fft_fft(x)) * 2),
    function(x) torch_imag(torch_exp(x$to(dtype = "cfloat") * 1i)), function(x) torch_real(torch_sqrt(x * (1 + 1i)))
  )
  for (f in functions) gradients_are_those_of_r(jit_trace(f, x), f, x)
  unit <- jit_compile("
def f(x):
  return torch.real(torch.log(torch.complex(x, x * 2)))
def g(x):
  return f(x) * 1
def h(x):
  return torch.imag(torch.exp(x.to(torch.complex64) * 2j))
")
  gradients_are_those_of_r(unit$f, functions[[1]], x)
  gradients_are_those_of_r(unit$g, functions[[1]], x)
  gradients_are_those_of_r(unit$h, function(x) torch_imag(torch_exp(x$to(dtype = "cfloat") * 2i)), x)
})

test_that("and those of modules with complex parameters, from a file too", {
  skip_if_no_torch()
  net <- nn_module(
    initialize = function() self$w <- nn_parameter(torch_tensor(c(1 + 1i, 2 - 1i))),
    forward = function(x) torch_real(torch_log(self$w) * x)
  )()
  x <- torch_tensor(c(1, 2))
  file <- withr::local_tempfile(fileext = ".pt")
  traced <- jit_trace(net, x)
  jit_save(traced, file)
  right <- as_array(autograd_grad(net(x)$sum(), net$w)[[1]])
  for (model in list(traced, jit_load(file)))
    for (k in 1:4) expect_equal(as_array(autograd_grad(model(x)$sum(), model$w)[[1]]), right, tolerance = 1e-5)
})

test_that("complex inputs in lists, tuples and dicts are seen", {
  skip_if_no_torch()
  z <- torch_tensor(c(1 + 2i, -0.5 + 1i), requires_grad = TRUE)
  f <- function(z) torch_real(torch_log(z) - 1)
  as_list <- jit_compile("def f(x: List[Tensor]):\n  return torch.real(torch.log(x[0]) - 1)\n")$f
  as_tuple <- jit_compile("def f(x: Tuple[int, Tensor]):\n  return torch.real(torch.log(x[1]) - 1)\n")$f
  as_dict <- jit_compile("def f(x: Dict[str, Tensor]):\n  return torch.real(torch.log(x['a']) - 1)\n")$f
  gradients_are_those_of_r(function(z) as_list(list(z)), f, z)
  gradients_are_those_of_r(function(z) as_tuple(list(1L, z)), f, z)
  gradients_are_those_of_r(function(z) as_dict(list(a = z)), f, z)
})

test_that("whole floats of any size stay floats in files", {
  skip_if_no_torch()
  numbers <- c(1e9, 1e10, -1e10, 12345678901, 1e15, 9007199254740993, 1e16, -99999999999999984, 1e17, 1e22, 0.5)
  for (number in numbers) {
    f <- jit_trace(function(x) list(torch_full(2, number), torch_tensor(1:2) * number, x + number), torch_ones(1, dtype = "double"))
    file <- withr::local_tempfile(fileext = ".pt")
    jit_save(f, file)
    for (program in list(f, jit_load(file))) {
      got <- program(torch_zeros(1, dtype = "double"))
      expect_true(got[[1]]$dtype == torch_float(), info = number)
      expect_true(got[[2]]$dtype == torch_float(), info = number)
      expect_identical(as.numeric(got[[3]]), number)
    }
    dtypes <- python_eval("result = [str(y.dtype) for y in torch.jit.load(file)(torch.zeros(1, dtype=torch.double))]", file = file)
    expect_equal(unlist(dtypes), c("torch.float32", "torch.float32", "torch.float64"))
  }
  # Also where they stand in lists and in text.
  unit <- jit_compile("
def f(x):
  y = [1e12, 0.5]
  if bool(x.sum() > 0):
    y.append(1e10)
  return torch.tensor(y), torch.full([2], -1e10), (1e11, 2)
")
  file <- withr::local_tempfile(fileext = ".pt")
  jit_save(unit$f, file)
  got <- jit_load(file)(torch_ones(1))
  expect_equal(as.numeric(got[[1]]), c(1e12, 0.5, 1e10))
  expect_true(got[[2]]$dtype == torch_float())
  expect_identical(got[[3]][[1]], 1e11)
})
