test_that("devices have a type and an index", {
  expect_identical(torch_device("cuda", 1)$index, 1L)
  expect_identical(torch_device("cuda:1")$type, "cuda")
  expect_identical(torch_device("cuda:127")$index, 127L)
  for (text in c("cuda:128", "cpu:99999999999999999999")) {
    expect_error(torch_device(text), sprintf("`type` must have a number of a device from 0 to 127, not \"%s\".", text), class = "value_error")
  }
  expect_null(torch_device("cpu")$index)
  expect_true(torch_device("cuda:0") == torch_device("cuda", 0))
  expect_true(torch_device("cuda:0") != torch_device("cuda:1"))
  expect_false(torch_device("cuda") == torch_device("cuda:0"))
  expect_identical(as.character(torch_device("cuda", 0)), "cuda:0")
  expect_identical(as.character(torch_device("cpu")), "cpu")
  expect_true(is_torch_device(torch_device("cpu")))
  expect_false(is_torch_device("cpu"))
  expect_error(torch_device("cpu") == "cpu", "not a device", class = "value_error")
})

test_that("devices print", {
  expect_output(print(torch_device("cpu")), "torch_device(type='cpu') ", fixed = TRUE)
  expect_output(print(torch_device("cuda", 0)), "torch_device(type='cuda', index=0) ", fixed = TRUE)
})

test_that("what is no device is refused", {
  skip_if_no_torch()
  expect_error(torch_device("cuda:1", 2), "index", class = "value_error")
  expect_error(torch_device(1), "type", class = "type_error")
  expect_error(torch_device("CPU!"), "CPU!", class = "value_error")
  expect_error(torch_zeros(1, device = 1), "device", class = "type_error")
  expect_error(torch_zeros(1, device = "nowhere"), "nowhere")
  expect_error(torch_tensor(1, device = "nowhere"), "nowhere")
})

test_that("tensors move", {
  skip_if_no_torch()
  x <- torch_tensor(c(1, 2))
  y <- x$to(device = "meta")
  expect_identical(as.character(y$device), "meta")
  expect_identical(y$shape, 2L)
  expect_identical(as.character(x$to(other = y)$device), "meta")
  expect_true(x$to(dtype = "double", device = "meta")$dtype == torch_double())
  expect_error(as_array(y), "meta")
  expect_error(torch_zeros(1, device = "meta")$item(), "[Mm]eta")
})

test_that("the default device nests and is restored", {
  skip_if_no_torch()
  type <- function() torch_zeros(1)$device$type
  with_device(device = "meta", {
    expect_identical(type(), "meta")
    expect_identical(torch_tensor(1)$device$type, "meta")
    with_device(device = "cpu", expect_identical(type(), "cpu"))
    expect_identical(type(), "meta")
  })
  expect_identical(type(), "cpu")
  expect_error(with_device(stop("here"), device = "meta"), "here")
  expect_identical(type(), "cpu")
  f <- function() {
    local_device("meta")
    type()
  }
  expect_identical(f(), "meta")
  expect_identical(type(), "cpu")
})

test_that("CUDA is there or refused", {
  skip_if_no_torch()
  skip_if(cuda_is_available(), "This machine has CUDA")
  expect_error(torch_zeros(1, device = "cuda"), "CUDA|cuda")
  expect_error(torch_tensor(1)$cuda(), "CUDA|cuda")
})

test_that("page-locked memory needs a GPU", {
  skip_if_no_torch()
  x <- torch_tensor(c(1, 2))
  expect_false(x$is_pinned())
  if (cuda_is_available()) {
    expect_true(x$pin_memory()$is_pinned())
  } else {
    expect_error(x$pin_memory(), "accelerator|CUDA|NVIDIA")
  }
})
