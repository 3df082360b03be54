test_that("anomaly detection tells the R code that a bad gradient comes from", {
  skip_if_no_torch()
  file <- withr::local_tempfile(fileext = ".R")
  writeLines(c("f <- function(x) {", "  y <- x * 2", "  torch_sqrt(y) * 0", "}"), file)
  source(file, local = TRUE, keep.source = TRUE)
  x <- torch_tensor(0, requires_grad = TRUE)
  told <- character()
  run <- function(code) withCallingHandlers(code, warning = function(w) {
    told <<- c(told, class(w)[1], conditionMessage(w))
    invokeRestart("muffleWarning")
  })
  expect_error(run(with_detect_anomaly(f(x)$backward())), "'SqrtBackward0' returned nan values in its output number 1")
  expect_identical(told[c(1, 3)], c("torch_anomaly_warning", "torch_warning"))
  expect_true(grepl(sprintf("at %s:3 by `torch_sqrt(y)`", basename(file)), told[4], fixed = TRUE))
  # Off again, and off by itself.
  told <- character()
  run(f(x)$backward())
  expect_length(told, 0)
  expect_true(is.nan(as_array(x$grad)))
  # Without the check of NaN; errors of R in a graph are told of too.
  told <- character()
  expect_error(run(with_detect_anomaly({
    y <- x * 3
    bad <- autograd_function(function(ctx, x) x * 1, function(ctx, g) stop("no"))
    bad(y)$backward()
  }, check_nan = FALSE)), "no")
  expect_match(told[4], "AutogradFunctionBackward")
  # The gradient of a gradient.
  told <- character()
  z <- torch_tensor(0, requires_grad = TRUE)
  expect_error(run(with_detect_anomaly({
    g <- autograd_grad(torch_sqrt(z), z, create_graph = TRUE)[[1]]
    autograd_grad(g * 0, z)
  })), "returned nan values")
  expect_match(told[4], "while the gradient of SqrtBackward0 was computed")
  expect_error(with_detect_anomaly(1, check_nan = NA), "check_nan")
})
