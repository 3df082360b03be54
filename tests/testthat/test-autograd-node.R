test_that("the graph can be walked", {
  skip_if_no_torch()
  x <- torch_tensor(1, requires_grad = TRUE)
  node <- (x * 2 + torch_tensor(1))$grad_fn
  expect_s3_class(node, "autograd_node")
  expect_output(print(node), "^AddBackward0")
  following <- node$next_functions
  expect_length(following, 2)
  expect_identical(following[[1]]$name, "MulBackward1")
  expect_null(following[[2]])
  expect_match(following[[1]]$next_functions[[1]]$name, "AccumulateGrad")
  expect_null(x$grad_fn)
})
