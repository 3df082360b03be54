test_that("a unit holds all functions of its source", {
  skip_if_no_torch()
  unit <- unit_of_many()
  expect_s3_class(unit, "torch_compilation_unit")
  expect_output(print(unit), "^<torch_compilation_unit>$")
  expect_equal(names(unit), c("scale", "or_minus_one", "parts", "thrice"))
  expect_equal(utils::.DollarNames(unit, "^th"), "thrice")
  expect_null(unit$missing)
  expect_s3_class(unit$scale, "script_function", exact = TRUE)
  expect_equal(as.numeric(unit[["thrice"]](torch_tensor(2))), 6)
  # A function outlives its unit.
  f <- unit$thrice
  rm(unit)
  gc()
  expect_equal(as.numeric(f(torch_tensor(1))), 3)
})

test_that("errors in the source show the place", {
  skip_if_no_torch()
  expect_snapshot({
    show_error(jit_compile("def f(x):\n  return y\n"))
    show_error(jit_compile("def f(x:\n  return x"))
    show_error(jit_compile(1))
    show_error(jit_compile(c("a", "b")))
  })
  expect_error(jit_compile("def f(x):\n  return torch.nope(x)\n"), "aten::nope.*line 2.*return torch.nope\\(x\\)\n +~+ <--- HERE")
  expect_error(jit_compile("class A:\n  pass\n"), class = "torch_error")
})

test_that("errors while the program runs show its line and its own message", {
  skip_if_no_torch()
  f <- jit_compile("def f(x):\n  assert bool(x.sum() > 0), 'must be positive'\n  return x.view(3)\n")$f
  expect_error(f(torch_zeros(1)), "^must be positive\nIn the TorchScript program:.*line 2, in f", class = "torch_error")
  expect_error(f(torch_ones(2)), "^shape '\\[3\\]' is invalid for input of size 2\n.*line 3, in f", class = "torch_error")
  expect_equal(as.numeric(f(torch_ones(3))), c(1, 1, 1))
})
