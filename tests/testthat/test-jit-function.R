test_that("arguments go by position or name, others have their defaults", {
  skip_if_no_torch()
  f <- unit_of_many()$scale
  x <- torch_tensor(5)
  expect_equal(as.numeric(f(x)), 10)
  expect_equal(as.numeric(f(x, 3L)), 15)
  expect_equal(as.numeric(f(k = 4L, x = x)), 20)
  expect_equal(as.numeric(f(k = 4L, x)), 20)
  keyword_only <- jit_compile("def f(x, *, k: int):\n  return x * k\n")$f
  expect_equal(as.numeric(keyword_only(x, k = 2L)), 10)
})

test_that("wrong arguments are refused by name", {
  skip_if_no_torch()
  unit <- unit_of_many()
  scale <- unit$scale
  parts <- unit$parts
  x <- torch_tensor(1)
  expect_snapshot({
    show_error(scale())
    show_error(scale(1))
    show_error(scale(x, 2.5))
    show_error(scale(x, NA))
    show_error(scale(x, q = 2))
    show_error(scale(x, x = x))
    show_error(scale(x = x, x = x))
    show_error(scale(x, 1, "a", 3))
    show_error(scale(mtcars))
    show_error(unit$or_minus_one("a"))
    show_error(parts(1:3, list(k = "a"), list(1L, "z")))
    show_error(parts(1:3, list(1), list(1L, "z")))
    show_error(parts(NA_integer_, list(k = 1), list(1L, "z")))
    show_error(parts(1:3, list(k = 1), list(1L)))
  })
})

test_that("a function is saved as a module with forward", {
  skip_if_no_torch()
  folder <- withr::local_tempdir()
  # It calls another function of its unit, which must get into the file.
  f <- unit_of_many()$thrice
  f$save(file.path(folder, "f.pt"))
  f$save_for_mobile(file.path(folder, "mobile.pt"))
  x <- torch_tensor(c(1, 2))
  expect_equal(as.numeric(jit_load(file.path(folder, "f.pt"))(x)), c(3, 6))
  expect_equal(as.numeric(jit_load(file.path(folder, "mobile.pt"))(x)), c(3, 6))
  expect_equal(
    python_eval("result = torch.jit.load(folder + '/f.pt')(torch.tensor([1., 2.])).tolist()", folder = folder),
    c(3, 6)
  )
})

test_that("a function that came out of saveRDS() is dead, not dangerous", {
  skip_if_no_torch()
  dead <- unserialize(serialize(unit_of_many()$thrice, NULL))
  expect_error(dead(torch_tensor(1)), "dead", class = "value_error")
  expect_error(dead$graph, "dead", class = "value_error")
})
