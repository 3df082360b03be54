test_that("attaching the package prints nothing and leaves R's functions as they are", {
  script <- withr::local_tempfile(fileext = ".R", lines = c(
    "library(torch)", "stopifnot(identical(diag(2), base::diag(2)), identical(1:2 %*% 1:2, base::`%*%`(1:2, 1:2)))",
    "stopifnot(identical(var(1:3), stats::var(1:3)))"
  ))
  output <- system2(file.path(R.home("bin"), "Rscript"), shQuote(script), stdout = TRUE, stderr = TRUE)
  expect_equal(as.character(output), character())
  expect_null(attr(output, "status"))
})
