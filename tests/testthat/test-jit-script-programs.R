# Whole programs: longer ones, random ones (helper-script-random.R), and files that Python runs.

test_that("random programs that once gave something else than R give the same", {
  skip_if_no_torch()
  for (seed in c(10358, 10831, 11215, 11418)) expect_null(random_difference(seed))
})

test_that("longer programs give what R gives", {
  skip_if_no_torch()
  programs <- script_programs()
  for (name in names(programs)) {
    f <- programs[[name]][[1]]
    sets <- programs[[name]][[2]]
    program <- do.call(jit_script, c(list(f), lapply(sets[[1]], example_of)))
    for (arguments in sets) {
      expect_equal(plain(do.call(program, arguments)), plain(do.call(f, arguments)), tolerance = 1e-5, info = name)
    }
  }
})

test_that("random programs give what R gives", {
  skip_if_no_torch()
  for (seed in 1:60) expect_null(random_difference(seed), info = seed)
})

test_that("files of programs run in Python without R", {
  skip_if_no_torch()
  folder <- withr::local_tempdir()
  f <- jit_script(function(x, n = 3L) {
    total <- 0
    for (i in seq_len(n)) total <- total + if (as.logical(x$sum() > i)) x * i else -x
    total
  }, torch_ones(2))
  path <- file.path(folder, "f.pt")
  jit_save(f, path)
  inputs <- list(c(1, 1), c(3, -1))
  expect_equal(plain(jit_load(path)(torch_tensor(c(3, -1)), 2L)), plain(f(torch_tensor(c(3, -1)), 2L)))
  got <- python_eval("
f = torch.jit.load(path)
result = [f(torch.tensor(x), 3).tolist() for x in inputs]
", path = path, inputs = inputs)
  expect_equal(as.numeric(t(got)), unlist(lapply(inputs, function(x) as.numeric(f(torch_tensor(x), 3L)))))
})

test_that("names of arguments and elements that Python doesn't take are R's here and others in files", {
  skip_if_no_torch()
  f <- function(x, lag.max = 2L, lambda = 1, `a b` = 3) {
    g <- function(z, na.rm) if (na.rm) z else -z
    parts <- list(one.part = g(x, TRUE), `for` = lambda)
    g(parts$one.part, lag.max > 1L) + parts$`for` + `a b`
  }
  program <- expect_same(f, 5, 3L, 2, 4)
  expect_equal(program(5, lag.max = 0L, lambda = 2, `a b` = 7), f(5, lag.max = 0L, lambda = 2, `a b` = 7))
  expect_equal(jit_script(function(x) program(x, `a b` = 1, lag.max = 3L, lambda = 1), 1)(2), f(2, 3L, 1, 1))
  path <- withr::local_tempfile(fileext = ".pt")
  jit_save(program, path)
  expect_equal(python_eval("
f = torch.jit.load(path)
result = [f(5.0, 3, 2.0, 4.0), f(5.0, lag_max=0, lambda_=2.0, a_b=7.0)]
", path = path), c(f(5, 3L, 2, 4), f(5, 0L, 2, 7)))
  expect_equal(jit_load(path)(5, lag.max = 0L, lambda = 2, `a b` = 7), f(5, 0L, 2, 7))
})
