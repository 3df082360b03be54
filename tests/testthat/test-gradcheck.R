# A seeded share of what tools/gradcheck.R does for all operators.
test_that("derivatives of operators are the limits of differences", {
  skip_if_no_torch()
  operators <- gradcheck_operators()
  expect_gt(length(operators), 1200)
  share <- withr::with_seed(4, sample(grep("^_|_backward$|_copy$", operators, value = TRUE, invert = TRUE), 80))
  table <- suppressWarnings(gradcheck(share, most = 3))
  differ <- table[table$first == "differs" | table$second == "differs" | table$forward == "differs", c("operator", "note")]
  expect_identical(differ, differ[0, ])
  # Most must have been compared, else nothing was tried.
  expect_gt(sum(table$first == "agrees"), 45)
  expect_gt(sum(table$second == "agrees"), 20)
  expect_gt(sum(table$forward == "agrees"), 40)
})

test_that("every reason belongs to an operator, and is still needed", {
  skip_if_no_torch()
  skip_if(torch:::libtorch_find()$version != "2.13.0", "The reasons are recorded for LibTorch 2.13.0")
  table <- suppressWarnings(gradcheck(unique(gradcheck_reasons$operator)))
  expect_identical(table$operator[table$first != "explained" & table$forward != "explained"], character())
})

test_that("a wrong derivative is found", {
  skip_if_no_torch()
  run <- function(f) suppressWarnings(gradcheck_operator("exp", 1, 3, f))
  right <- run(function(a) torch_exp(a[[1]]))
  expect_identical(unlist(right[c("first", "second", "forward")], use.names = FALSE), rep("agrees", 3))
  # Of the same value: the slope is 0.01 too large, or the curvature.
  moved <- function(x) x - x$detach()
  wrong <- run(function(a) torch_exp(a[[1]]) + 0.01 * moved(a[[1]]))
  expect_identical(c(wrong$first, wrong$forward), c("differs", "differs"))
  expect_match(wrong$note, ", not ")
  expect_identical(unlist(run(function(a) torch_exp(a[[1]]) + 0.01 * moved(a[[1]])^2)[c("first", "second")], use.names = FALSE), c("agrees", "differs"))
  # A gradient that gets lost: of one of two factors.
  lost <- suppressWarnings(gradcheck_operator("mul", 1, 3, function(a) a[[1]] * a[[2]]$detach()))
  expect_identical(lost$first, "differs")
})
