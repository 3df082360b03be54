test_that("jit_ops calls any registered operator", {
  skip_if_no_torch()
  x <- torch_tensor(matrix(c(1, 2, 3, -4, 5, 6), 2))
  expect_equal(as_array(jit_ops$aten$relu(x)), pmax(as_array(x), 0))
  expect_equal(as.numeric(jit_ops$aten$add(torch_tensor(1), torch_tensor(2), alpha = 3)), 7)
  expect_equal(as.numeric(jit_ops$aten$sub(other = torch_tensor(1), self = torch_tensor(5))), 4)
  # Positions count from 0.
  expect_equal(jit_ops$aten$size(x, 1L), 3)
  expect_equal(as.numeric(jit_ops$aten$sum(x, 1L)), rowSums(as_array(x)))
  top <- jit_ops$aten$max(x, 1L)
  expect_equal(as.numeric(top[[2]]), max.col(as_array(x)) - 1)
  # Registered with the JIT alone.
  expect_equal(jit_ops$aten$len(list(torch_tensor(1), torch_tensor(2))), 2)
})

test_that("jit_ops prints and completes", {
  skip_if_no_torch()
  expect_output(print(jit_ops), "^Object of class <torch_ops>$")
  expect_output(print(jit_ops$aten), "^<torch_ops>: Handle to namespace  aten $")
  expect_output(print(jit_ops$aten$relu), "^function_schema \\(name = aten::relu\\)")
  expect_output(print(jit_ops$aten$relu), "aten::relu(Tensor self) -> Tensor", fixed = TRUE)
  expect_equal(attr(jit_ops$aten$relu, "opname"), "aten::relu")
  expect_true(all(c("aten", "prim") %in% utils::.DollarNames(jit_ops, "")))
  expect_equal(utils::.DollarNames(jit_ops$aten, "^relu_?$"), c("relu", "relu_"))
  expect_snapshot({
    show_error(jit_ops$aten$nope)
    show_error(jit_ops$aten$relu())
    show_error(jit_ops$aten$relu("a"))
  })
})
