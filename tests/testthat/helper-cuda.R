skip_if_no_cuda <- function() {
  skip_if_no_torch()
  skip_if_not(cuda_is_available(), "There is no CUDA device")
}

# What a value holds, for comparison of devices: dtypes, shapes and numbers, wherever the tensors lie.
held <- function(x) {
  if (is.list(x)) return(lapply(x, held))
  if (!is_torch_tensor(x)) return(x)
  x <- x$detach()$cpu()
  list(dtype = as.character(x$dtype), shape = dim(x), values = as_array(if (x$is_floating_point()) x$double() else x))
}

# f(device) must hold the same on the GPU as on the CPU, and lie there.
expect_same_on_cuda <- function(f, tolerance = 1e-5) {
  there <- f("cuda")
  expect_equal(held(there), held(f("cpu")), tolerance = tolerance)
  tensors <- if (is_torch_tensor(there)) list(there) else Filter(is_torch_tensor, there)
  for (x in tensors) expect_true(x$is_cuda)
}
